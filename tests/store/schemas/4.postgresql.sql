CREATE TABLE public.attempt_sums (
    outcome character varying(16) NOT NULL,
    stop_cause character varying(16) NOT NULL,
    saved boolean NOT NULL,
    attempts integer NOT NULL,
    lost_gpu_s double precision NOT NULL
);
CREATE TABLE public.attempts (
    job_id integer NOT NULL,
    number integer NOT NULL,
    outcome character varying(16) NOT NULL,
    stop_cause character varying(16) NOT NULL,
    saved boolean NOT NULL,
    lost_gpu_s double precision NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.cycle_changes (
    number integer NOT NULL,
    at_s double precision NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE public.cycles (
    number integer NOT NULL,
    at_s double precision NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE public.events (
    id integer NOT NULL,
    at_s double precision NOT NULL,
    cycle integer NOT NULL,
    kind character varying(16) NOT NULL,
    subject character varying(255) NOT NULL,
    title text NOT NULL,
    detail text NOT NULL,
    actor text DEFAULT ''::text NOT NULL
);
CREATE SEQUENCE public.events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_id_seq OWNED BY public.events.id;
CREATE TABLE public.host_marks (
    host character varying(255) NOT NULL,
    state character varying(16) NOT NULL,
    reason text NOT NULL,
    since_s double precision NOT NULL,
    deadline_s double precision
);
CREATE TABLE public.identity (
    owner character varying(36) NOT NULL,
    fence integer NOT NULL
);
CREATE TABLE public.jobs (
    id integer NOT NULL,
    spec text NOT NULL,
    state character varying(16) NOT NULL,
    wish character varying(8) NOT NULL,
    submitted_at_s double precision NOT NULL,
    finished_at_s double precision,
    hold_reason text NOT NULL,
    not_before_s double precision NOT NULL
);
CREATE SEQUENCE public.jobs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.jobs_id_seq OWNED BY public.jobs.id;
CREATE TABLE public.leadership (
    fence integer NOT NULL,
    holder text NOT NULL,
    address text NOT NULL,
    since_s double precision NOT NULL,
    until_s double precision NOT NULL
);
CREATE TABLE public.moves (
    cycle integer NOT NULL,
    job_id integer NOT NULL,
    at_s double precision NOT NULL
);
CREATE TABLE public.reservations (
    "position" integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE SEQUENCE public.schema_version_version_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.schema_version_version_seq OWNED BY public.schema_version.version;
CREATE TABLE public.stray_orders (
    name text NOT NULL,
    verb character varying(8) NOT NULL,
    by character varying(255) NOT NULL,
    at_s double precision NOT NULL
);
CREATE TABLE public.submissions (
    owner text NOT NULL,
    key character varying(255) NOT NULL,
    digest character varying(64) NOT NULL,
    job_id integer NOT NULL,
    until_s double precision NOT NULL
);
ALTER TABLE ONLY public.events ALTER COLUMN id SET DEFAULT nextval('public.events_id_seq'::regclass);
ALTER TABLE ONLY public.jobs ALTER COLUMN id SET DEFAULT nextval('public.jobs_id_seq'::regclass);
ALTER TABLE ONLY public.schema_version ALTER COLUMN version SET DEFAULT nextval('public.schema_version_version_seq'::regclass);
INSERT INTO public.attempt_sums VALUES ('', '', false, 1, 0);
INSERT INTO public.attempt_sums VALUES ('Failed', '', false, 1, 9.5);
INSERT INTO public.attempt_sums VALUES ('Preempted', 'serving', true, 1, 60);
INSERT INTO public.attempt_sums VALUES ('Succeeded', '', false, 1, 0);
INSERT INTO public.attempts VALUES (1, 1, 'Preempted', 'serving', true, 60, '{"job_id":"1","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":9.0,"outcome":"Preempted","cause":"","stop_asked_at_s":null,"stop_cause":"serving","resumed_from_step":0,"checkpoint_step":70,"checkpointed_at_s":3.0,"total_steps":null,"lost_gpu_s":60.0,"message":"","goes_on_with":0}');
INSERT INTO public.attempts VALUES (1, 2, '', '', false, 0, '{"job_id":"1","number":2,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":0.0,"message":"","goes_on_with":0}');
INSERT INTO public.attempts VALUES (2, 1, 'Succeeded', '', false, 0, '{"job_id":"2","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"Succeeded","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":0.0,"message":"","goes_on_with":0}');
INSERT INTO public.attempts VALUES (3, 1, 'Failed', '', false, 9.5, '{"job_id":"3","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"Failed","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":9.5,"message":"","goes_on_with":0}');
INSERT INTO public.cycle_changes VALUES (2, 2, '\x789c6592d16edb300c45ff45cf4691b6dbc3f22b4321d0326bab91455594921541fe7da42d6519fa76495157e411afc67db980e67835b1ae2366737c190c14cb229e0e83e10889172a5a71c6cc9ea2394abec009a3dd0b0f5ab81017d1bfdf06f34163532b4d189ace988277708f18f3198af8dd6bcfd8e467c5da756598719717ca27ed831748fd981163530572c1a9d9d7187d9cbb4585a0f2369877cae8e7d8a2095788937a3e769a887629152940dcde6c1cec230470bdffab0e6dbd589967a3000bae49a03d0f66cee0d026cc9e26a5f5bae1725059c6324eee53f0d346426e8e18f1dd3b0ff94b4e251184ab9d53bd839e09d952b4175f1649ddbec3bcca678449ffd2fc10070e547a9aa527331a9dfcecdd06f1f0a616eca374a9ede91bf8277931d5f8973caa05350a0ad7f9a64c89183a317dafc991e824e41ff9d9a9e6adb97d86979f379d22a27dd8992dfeb7385bf8ffc630ac68fb37955cb1a5f6ad68893a7ea0eb9e97c5bba5af1b70dbb4db5fc51dfc75');
INSERT INTO public.cycle_changes VALUES (3, 3, '\x789c6592dd6ec3200c85df85eb686af773b1beca342187b8092dc10c43bbaaeabbcf24d075daddb13107fbc357652ec6a1da5d95cf738f51ed5e3a0549b388a74da7d843e08952a93861644b5eed249fe0885eaf859b52381127d11f9f9d3a505fd54c03baaa2306670ddc23c67882247ef7da1356f99531379d19465ce599e2b1f4c1138476cc88beaa0431e150edb3f7d68fcd22832bf2d6a93d45b4a3afd18033f8a1783e761a88562915c1815fdeac1cf4230430adff6b195a5bb1525b5500269c8340db766a8c6050078c968605eb82cb4066194b19b94fce0e0b09b9d9a3c7bd3516e2454e25e184ab1e43be831e095993d7679b2649ddfec3bcca67b8a1fca57a150776945a9aa527d5ab32f9c99a05e2e6b358b0f5d265fb75fc0e564c4bfc2e8f9682ec0585697c43a4400c8d5879afca9ee828e41ff9e921c7a5b97586e7b75b99c2a37ed89925fe5d9c25fcbb310c33eaf64d2966aca9752b6a22f70734cdf33c5933b57503ae9b76fb01cad6fc77');
INSERT INTO public.cycles VALUES (1, 1, '\x789cc5525b6ee3300cbc0bbf8dc26d9a02ebab1485415baca38d2caa7aa41b18b9fb928eec0db007e8974714391a0f67015fe6812274cf0d60ee9380a7b681e431a41367e816b8504c963d7452cf7826dfdf1b5b6d3c71ca82df17f038137480d0c0184a3f5be72c746faf6d2b6d33cd1caf521ca4743c1ede1a3074b123e9ec4703934eb021270c42e0702057af52c6acc491d05ce54ebe49d5685fb27ea4aae5d6ec1a861fd320bdbf79a8532b59c59182b323eea744f182596cdd7b2f9b8eaf4265c325e14477f8cdf1aceb48270cdb7522f2bbc298c954fae2bdf5d34651d029bc35f0c991ece4ebc9d08cde28e7a3d2c07c87d2111cfaf5cd1a87fe310b386efa17fde9de0a153c83e628d31cf29aa929a2b813285a366ad2614dcd8825a99fa3ccb3b36675422607f2f469478bf15a9720f1ea75315bde26a6d4b3efbf6d3e49e9f6bf998b64d2198d34bcea7a1ce7ad9c720dc7bfbdb71f4ab1eff0a06fd09f608554cfbfea528b172bc6cddf103970c2cd317dafc281f92cce3ffad79b125771f77f7839defe0285e71ef3');
INSERT INTO public.events VALUES (1, 5, 1, 'training', '1', 'lm1 accepted', 'normal', 'ada');
INSERT INTO public.events VALUES (2, 6, 2, 'host', 'a', 'a cordoned', 'disk', 'boss');
INSERT INTO public.host_marks VALUES ('a', 'draining', 'disk', 6, 60);
INSERT INTO public.identity VALUES ('59e7af22-dc81-4961-99f7-b67b79b56d1a', 1);
INSERT INTO public.jobs VALUES (5, '{"name":"lm5","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}', 'Pending', 'run', 5, NULL, '', 0);
INSERT INTO public.jobs VALUES (1, '{"name":"lm1","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}', 'Running', 'run', 1, NULL, '', 0);
INSERT INTO public.jobs VALUES (2, '{"name":"lm2","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}', 'Succeeded', 'run', 2, 9, '', 0);
INSERT INTO public.jobs VALUES (3, '{"name":"lm3","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}', 'Failed', 'run', 3, 9, '', 8);
INSERT INTO public.jobs VALUES (4, '{"name":"lm4","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}', 'Held', 'hold', 4, NULL, 'exam', 0);
INSERT INTO public.leadership VALUES (1, 'recorded', 'http://127.0.0.1:8000', 1796039239.719219, 0);
INSERT INTO public.moves VALUES (1, 1, 1);
INSERT INTO public.moves VALUES (2, 1, 2);
INSERT INTO public.moves VALUES (3, 1, 3);
INSERT INTO public.reservations VALUES (0, '{"holder":"4","slots":[{"host":"b","devices":[0]}],"since_s":3.0,"expires_s":90.0}');
INSERT INTO public.schema_version VALUES (4);
INSERT INTO public.stray_orders VALUES ('headroom-x-1', 'evict', 'boss', 7);
INSERT INTO public.submissions VALUES ('ada', 'key', 'digest', 1, 1000000000000);
SELECT pg_catalog.setval('public.events_id_seq', 2, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 5, true);
SELECT pg_catalog.setval('public.schema_version_version_seq', 1, false);
ALTER TABLE ONLY public.attempt_sums
    ADD CONSTRAINT attempt_sums_pkey PRIMARY KEY (outcome, stop_cause, saved);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (job_id, number);
ALTER TABLE ONLY public.cycle_changes
    ADD CONSTRAINT cycle_changes_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.cycles
    ADD CONSTRAINT cycles_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.host_marks
    ADD CONSTRAINT host_marks_pkey PRIMARY KEY (host);
ALTER TABLE ONLY public.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.leadership
    ADD CONSTRAINT leadership_pkey PRIMARY KEY (fence);
ALTER TABLE ONLY public.moves
    ADD CONSTRAINT moves_pkey PRIMARY KEY (cycle, job_id);
ALTER TABLE ONLY public.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.stray_orders
    ADD CONSTRAINT stray_orders_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_pkey PRIMARY KEY (owner, key);
CREATE INDEX events_by_subject ON public.events USING btree (subject, id);
CREATE INDEX jobs_by_state ON public.jobs USING btree (state);
CREATE INDEX submissions_by_end ON public.submissions USING btree (until_s);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id);
