"""Static files under addresses that change with their content, so that browsers keep them for ever."""

from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse

from scheduler.api.chart import LIBRARY_VERSION, library_folder
from scheduler.api.rendering import STATIC_FOLDER, asset
from scheduler.model.errors import NotFound

FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def install_static(app: FastAPI) -> None:
    """Serve our own files and the chart library's; they hold no secrets, so nobody is asked for a token."""

    @app.get(f"/static/bokeh-{LIBRARY_VERSION}/bokeh.min.js", include_in_schema=False)
    def library() -> FileResponse:
        return FileResponse(library_folder() / "bokeh.min.js", media_type=TYPES[".js"], headers=FOR_EVER)

    @app.get("/static/{digest}/{name}", include_in_schema=False)
    def own(digest: str, name: str) -> FileResponse:
        if name not in {path.name for path in STATIC_FOLDER.iterdir()} or asset(name) != f"/static/{digest}/{name}":
            raise NotFound(f"there is nothing at /static/{digest}/{name}")
        path = STATIC_FOLDER / name
        return FileResponse(path, media_type=TYPES[path.suffix], headers=FOR_EVER)
