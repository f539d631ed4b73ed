BEGIN TRANSACTION;
CREATE TABLE attempt_sums (
	outcome VARCHAR(16) NOT NULL, 
	stop_cause VARCHAR(16) NOT NULL, 
	saved BOOLEAN NOT NULL, 
	attempts INTEGER NOT NULL, 
	lost_gpu_s FLOAT NOT NULL, 
	PRIMARY KEY (outcome, stop_cause, saved)
);
INSERT INTO "attempt_sums" VALUES('','',0,1,0.0);
INSERT INTO "attempt_sums" VALUES('Failed','',0,1,9.5);
INSERT INTO "attempt_sums" VALUES('Preempted','serving',1,1,60.0);
INSERT INTO "attempt_sums" VALUES('Succeeded','',0,1,0.0);
CREATE TABLE attempts (
	job_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	stop_cause VARCHAR(16) NOT NULL, 
	saved BOOLEAN NOT NULL, 
	lost_gpu_s FLOAT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (job_id, number), 
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "attempts" VALUES(1,1,'Preempted','serving',1,60.0,'{"job_id":"1","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":9.0,"outcome":"Preempted","cause":"","stop_asked_at_s":null,"stop_cause":"serving","resumed_from_step":0,"checkpoint_step":70,"checkpointed_at_s":3.0,"total_steps":null,"lost_gpu_s":60.0,"message":"","goes_on_with":0}');
INSERT INTO "attempts" VALUES(1,2,'','',0,0.0,'{"job_id":"1","number":2,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":0.0,"message":"","goes_on_with":0}');
INSERT INTO "attempts" VALUES(2,1,'Succeeded','',0,0.0,'{"job_id":"2","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"Succeeded","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":0.0,"message":"","goes_on_with":0}');
INSERT INTO "attempts" VALUES(3,1,'Failed','',0,9.5,'{"job_id":"3","number":1,"slots":[{"host":"a","devices":[0]},{"host":"b","devices":[1]}],"decided_at_s":1.0,"started_at_s":2.0,"ended_at_s":null,"outcome":"Failed","cause":"","stop_asked_at_s":null,"stop_cause":null,"resumed_from_step":0,"checkpoint_step":null,"checkpointed_at_s":null,"total_steps":null,"lost_gpu_s":9.5,"message":"","goes_on_with":0}');
CREATE TABLE cycle_changes (
	number INTEGER NOT NULL, 
	at_s FLOAT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "cycle_changes" VALUES(2,2.0,X'789C6592D16EDB300C45FF45CF4691B6DBC3F22B4321D0326BAB91455594921541FE7DA42D6519FA76495157E411AFC67DB980E67835B1AE2366737C190C14CB229E0E83E10889172A5A71C6CC9EA2394ABEC009A3DD0B0F5AB81017D1BFDF06F34163532B4D189ACE988277708F18F3198AF8DD6BCFD8E467C5DA756598719717CA27ED831748FD981163530572C1A9D9D7187D9CBB4585A0F2369877CAE8E7D8A2095788937A3E769A887629152940DCDE6C1CEC230470BDFFAB0E6DBD589967A3000BAE49A03D0F66CEE0D026CC9E26A5F5BAE1725059C6324EEE53F0D346426E8E18F1DD3B0FF94B4E251184AB9D53BD839E09D952B4175F1649DDBEC3BCCA678449FFD2FC10070E547A9AA527331A9DFCECDD06F1F0A616ECA374A9EDE91BF8277931D5F8973CAA05350A0AD7F9A64C89183A317DAFC991E824E41FF9D9A9E6ADB97D86979F379D22A27DD8992DFEB7385BF8FFC630AC68FB37955CB1A5F6AD68893A7EA0EB9E97C5BBA5AF1B70DBB4DB5FC51DFC75');
INSERT INTO "cycle_changes" VALUES(3,3.0,X'789C6592DD6EC3200C85DF85EB686AF773B1BECA342187B8092DC10C43BBAAEABBCF24D075DADDB13107FBC357652EC6A1DA5D95CF738F51ED5E3A0549B388A74DA7D843E08952A93861644B5EED249FE0885EAF859B52381127D11F9F9D3A505FD54C03BAAA2306670DDC23C67882247EF7DA1356F99531379D19465CE599E2B1F4C1138476CC88BEAA0431E150EDB3F7D68FCD22832BF2D6A93D45B4A3AFD18033F8A1783E761A88562915C1815FDEAC1CF4230430ADFF6B195A5BB1525B5500269C8340DB766A8C6050078C968605EB82CB4066194B19B94FCE0E0B09B9D9A3C7BD3516E2454E25E184AB1E43BE831E095993D7679B2649DDFEC3BCCA67B8A1FCA57A150776945A9AA527D5AB32F9C99A05E2E6B358B0F5D265FB75FC0E564C4BFC2E8F9682EC0585697C43A4400C8D5879AFCA9EE828E41FF9E921C7A5B97586E7B75B99C2A37ED89925FE5D9C25FCBB310C33EAF64D2966ACA9752B6A22F70734CDF33C5933B57503AE9B76FB01CAD6FC77');
CREATE TABLE cycles (
	number INTEGER NOT NULL, 
	at_s FLOAT NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "cycles" VALUES(1,1.0,X'789CC5525B6EE3300CBC0BBF8DC26D9A02EBAB1485415BACA38D2CAA7AA41B18B9FB928EEC0DB007E8974714391A0F67015FE6812274CF0D60EE9380A7B681E431A41367E816B8504C963D7452CF7826DFDF1B5B6D3C71CA82DF17F038137480D0C0184A3F5BE72C746FAF6D2B6D33CD1CAF521CA4743C1EDE1A3074B123E9EC4703934EB021270C42E0702057AF52C6ACC491D05CE54EBE49D5685FB27EA4AAE5D6EC1A861FD320BDBF79A8532B59C59182B323EEA744F182596CDD7B2F9B8EAF4265C325E14477F8CDF1ACEB48270CDB7522F2BBC298C954FAE2BDF5D34651D029BC35F0C991ECE4EBC9D08CDE28E7A3D2C07C87D2111CFAF5CD1A87FE310B386EFA17FDE9DE0A153C83E628D31CF29AA929A2B813285A366AD2614DCD8825A99FA3CCB3B36675422607F2F469478BF15A9720F1EA75315BDE26A6D4B3EFBF6D3E49E9F6BF998B64D2198D34BCEA7A1CE7AD9C720DC7BFBDB71F4AB1EFF0A06FD09F608554CFBFEA528B172BC6CDDF103970C2CD317DAFC281F92CCE3FFAD79B125771F77F7839DEFE0285E71EF3');
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at_s FLOAT NOT NULL, 
	cycle INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	subject VARCHAR(255) NOT NULL, 
	title TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	actor TEXT DEFAULT '' NOT NULL
);
INSERT INTO "events" VALUES(1,5.0,1,'training','1','lm1 accepted','normal','ada');
INSERT INTO "events" VALUES(2,6.0,2,'host','a','a cordoned','disk','boss');
CREATE TABLE host_marks (
	host VARCHAR(255) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	since_s FLOAT NOT NULL, 
	deadline_s FLOAT, 
	PRIMARY KEY (host)
);
INSERT INTO "host_marks" VALUES('a','draining','disk',6.0,60.0);
CREATE TABLE identity (
	owner VARCHAR(36) NOT NULL, 
	fence INTEGER NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "identity" VALUES('6b80b02d-25b5-431f-8d19-c2ed25f20dba',1);
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	spec TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	wish VARCHAR(8) NOT NULL, 
	submitted_at_s FLOAT NOT NULL, 
	finished_at_s FLOAT, 
	hold_reason TEXT NOT NULL, 
	not_before_s FLOAT NOT NULL
);
INSERT INTO "jobs" VALUES(1,'{"name":"lm1","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}','Running','run',1.0,NULL,'',0.0);
INSERT INTO "jobs" VALUES(2,'{"name":"lm2","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}','Succeeded','run',2.0,9.0,'',0.0);
INSERT INTO "jobs" VALUES(3,'{"name":"lm3","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}','Failed','run',3.0,9.0,'',8.0);
INSERT INTO "jobs" VALUES(4,'{"name":"lm4","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}','Held','hold',4.0,NULL,'exam',0.0);
INSERT INTO "jobs" VALUES(5,'{"name":"lm5","entrypoint":"python train.py","gang":{"workers":2,"shape":{"cpu_milli":1000,"memory_mib":1024,"gpu_count":1,"gpu_milli":1000,"gpu_models":[],"device_memory_mib":0,"host_labels":[]},"max_per_host":0,"prefer_same":"","require_same":"","max_workers":0},"owner":"ada","queue":"research","priority_class":"normal","priority":50,"preemptible":true,"grace_period_s":30.0,"checkpoint_interval_s":null,"max_runtime_s":null,"env":[],"working_dir":"","secrets":[]}','Pending','run',5.0,NULL,'',0.0);
CREATE TABLE leadership (
	fence INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	address TEXT NOT NULL, 
	since_s FLOAT NOT NULL, 
	until_s FLOAT NOT NULL, 
	PRIMARY KEY (fence)
);
INSERT INTO "leadership" VALUES(1,'recorded','http://127.0.0.1:8000',1.79603923722183346752e+09,0.0);
CREATE TABLE moves (
	cycle INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	at_s FLOAT NOT NULL, 
	PRIMARY KEY (cycle, job_id)
);
INSERT INTO "moves" VALUES(1,1,1.0);
INSERT INTO "moves" VALUES(2,1,2.0);
INSERT INTO "moves" VALUES(3,1,3.0);
CREATE TABLE reservations (
	position INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (position)
);
INSERT INTO "reservations" VALUES(0,'{"holder":"4","slots":[{"host":"b","devices":[0]}],"since_s":3.0,"expires_s":90.0}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(4);
CREATE TABLE stray_orders (
	name TEXT NOT NULL, 
	verb VARCHAR(8) NOT NULL, 
	"by" VARCHAR(255) NOT NULL, 
	at_s FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "stray_orders" VALUES('headroom-x-1','evict','boss',7.0);
CREATE TABLE submissions (
	owner TEXT NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	job_id INTEGER NOT NULL, 
	until_s FLOAT NOT NULL, 
	PRIMARY KEY (owner, "key")
);
INSERT INTO "submissions" VALUES('ada','key','digest',1,1000000000000.0);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX submissions_by_end ON submissions (until_s);
CREATE INDEX events_by_subject ON events (subject, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',5);
INSERT INTO "sqlite_sequence" VALUES('events',2);
COMMIT;
