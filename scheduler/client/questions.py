"""What would be otherwise from now on: questions to the planner, and waiting for their answers."""

import time
from collections.abc import Callable

from scheduler.client.requests import Requests, part
from scheduler.model.errors import Unreachable
from scheduler.wire.base import Listing, Single
from scheduler.wire.whatif import WhatIf, WhatIfOrder


class QuestionRequests(Requests):
    """What the client asks the planner."""

    def ask(self, order: WhatIfOrder) -> Single[WhatIf]:
        """Ask what would be otherwise from now on; `answer_to` its name says what is known by then.

        Raises:
            ConfigError: with all faults of the job, model or rules in it.
            NotFound: there is no such host.
            Conflict: no plan was made yet, or too many questions wait.
        """
        return self.send("POST", "/whatif", Single[WhatIf], order)

    def questions(self) -> Listing[WhatIf]:
        """Return the questions that are kept, oldest first."""
        return self.get("/whatif", Listing[WhatIf])

    def answer_to(self, name: str) -> Single[WhatIf]:
        """Return a question with what is known of its answer by now.

        Raises:
            NotFound: there is none, or it was forgotten.
        """
        return self.get(f"/whatif/{part(name)}", Single[WhatIf])

    def what_if(
        self, order: WhatIfOrder, told: Callable[[WhatIf], None] = lambda _: None, *, poll_s: float = 1.0
    ) -> Single[WhatIf]:
        """Ask what would be otherwise, and return when all is known.

        Args:
            order: what would be otherwise.
            told: called with what is known by now, now and then.
            poll_s: seconds between looks.

        Raises:
            Unreachable: there is no answer, and why; else as `ask`.
        """
        found = self.ask(order)
        while not found.item.is_over:
            told(found.item)
            time.sleep(poll_s)
            found = self.answer_to(found.item.name)
        if found.item.failure:
            raise Unreachable(f"the question could not be answered: {found.item.failure}")
        return found
