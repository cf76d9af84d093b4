-- Rows that an older version wrote (its last migration is 0390), as pg_dump --data-only --column-inserts gave them. The key that
-- opens what is sealed here is beside this file; nothing real was ever sealed with it.
--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: host; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.host (id, name, operating_system, agent_version, protocol_version, is_mover, joined_at, last_seen_at, retired_at, load, inventory, replaced_at) VALUES ('01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', 'db-1', 'Debian GNU/Linux 12', '0.1.0', 1, false, '2026-11-22 14:19:14.105436+00', NULL, NULL, 0, NULL, NULL);
INSERT INTO public.host (id, name, operating_system, agent_version, protocol_version, is_mover, joined_at, last_seen_at, retired_at, load, inventory, replaced_at) VALUES ('01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', 'web-1', 'Debian GNU/Linux 12', '0.1.0', 1, false, '2026-11-22 14:19:14.170153+00', '2026-11-22 14:19:15.48333+00', NULL, 0, NULL, NULL);


--
-- Data for Name: location; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.location (id, name, kind, path, host_id, created_at, quota_bytes, address, options, credentials_sealed, credentials_set_at, tested_at, tested_on, test_lines, is_closed, lock_days, lock_mode, tier_class, tier_after_days, authority_pem, way_set_at, bandwidth) VALUES ('01a203a0-1bab-7205-9369-9d69972ade1a', 'On the protected host itself', 'Folder', '/var/lib/backupdr-repositories', NULL, '2026-11-22 14:19:14.22031+00', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.location (id, name, kind, path, host_id, created_at, quota_bytes, address, options, credentials_sealed, credentials_set_at, tested_at, tested_on, test_lines, is_closed, lock_days, lock_mode, tier_class, tier_after_days, authority_pem, way_set_at, bandwidth) VALUES ('01a203a0-206f-7dd6-b748-3fc4daf0d2d3', 'Far', 'S3', NULL, NULL, '2026-11-22 14:19:15.440639+00', NULL, 's3:https://far.example.org/backups', '{}', '\x01b30685ba556816e60f3e5a241b23b1afec25627f4ad1b45a8bff2d4795ab499be98eb6ff9d0444ead74efee5510930331ac1c5e1e47e43e2c3a6d6f771b2ff48439b39d3b72fe18e950ef0bceba72a1034e69be944365885', '2026-11-22 14:19:15.440656+00', NULL, NULL, NULL, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: repository; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.repository (id, location_id, host_id, url, state, config_id, password_sealed, created_at, name, adopted_at, looked_at, look_problem, upkeep_allowed, upkeep_set_by, upkeep_set_at, tier_due_at) VALUES ('01a203a0-1bb0-78b0-a78d-faf409aa0893', '01a203a0-1bab-7205-9369-9d69972ade1a', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '/var/lib/backupdr-repositories/host_01a203a01b7870a287c8e7a6fdaaa0e5', 'Ready', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', '\x019e32e604a0d18092d4f8eb0d63cf2b98ecf9af135f8ffbd1c8642269d8ed8bde363c1e93dbe25280ca1aaba33ff9990ca49e18681dc7f598992d2892', '2026-11-22 14:19:14.227106+00', NULL, NULL, NULL, NULL, true, NULL, NULL, NULL);
INSERT INTO public.repository (id, location_id, host_id, url, state, config_id, password_sealed, created_at, name, adopted_at, looked_at, look_problem, upkeep_allowed, upkeep_set_by, upkeep_set_at, tier_due_at) VALUES ('01a203a0-1f9d-7d23-8f7e-2ebee77b92ea', '01a203a0-1bab-7205-9369-9d69972ade1a', '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', '/var/lib/backupdr-repositories/host_01a203a01b307f2aa7d07bbf49fd5ecf', 'Pending', NULL, '\x0177e0e2afac7cfeada940eb27a2e74cd5a8fb1937ba49c8861c447665788fa2e717366aae4477a370fb907cf4c95b677a4f894b640bf388cfc98f2fe5', '2026-11-22 14:19:15.230605+00', NULL, NULL, NULL, NULL, true, NULL, NULL, NULL);


--
-- Data for Name: agent_request; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: api_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_key (id, name, hash, role, created_at, revoked_at) VALUES ('01a203a0-1391-7d19-bec9-c03fffd15045', 'bootstrap', '\x5373807bf37d2036679add33310fc5126b2a40e22d38371f9dadaa6fb79e266f', 'Admin', '2026-11-22 14:19:12.148214+00', NULL);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (1, '2026-11-22 14:19:12.157671+00', 'system:start', 'key.admit', 'key_01a203a013917d19bec9c03fffd15045', 'bootstrap, from /tmp/bdr-node-ybmxN8/bootstrap', '872a7c96b7024574c6ac9097233f57db2666585251b4b2cc43a3406887372b54');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (2, '2026-11-22 14:19:12.752927+00', 'key:test', 'person.create', 'user_01a203a015e87577afa61f66edfd97a6', 'admin', '228ba07009cdbd7c9f6fbd76bfcd54d330fbdbd32bcaedc43dc97026c58e29c2');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (3, '2026-11-22 14:19:12.771406+00', 'key:test', 'host.invite', 'join_01a203a015fe73a4925f63e7317d24b4', 'https://127.0.0.1:38699', '992fb4c0b3b5b1fc24a869ac015066f5b1e675790060cdb94e749224643a7200');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (4, '2026-11-22 14:19:14.111761+00', 'host_01a203a01b307f2aa7d07bbf49fd5ecf', 'host.join', 'host_01a203a01b307f2aa7d07bbf49fd5ecf', 'db-1, Debian GNU/Linux 12, join_01a203a015fe73a4925f63e7317d24b4, from 127.0.0.1', 'e74135d1e3c307e7b307697d1395a59f816d89aeac900a52d7399a6326672c68');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (5, '2026-11-22 14:19:14.247038+00', 'key:test', 'policy.create', 'pol_01a203a01b8c7729bf3b1fcd3519d2a5', '/srv/web on web-1', '78fe1f1726551a83dd41a7b04b91704555681e23d2392e2cc4e12c6ce35630df');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (6, '2026-11-22 14:19:15.233191+00', 'key:test', 'policy.create', 'pol_01a203a01f9a76178be622e3853ae130', '/var/lib/data on db-1', 'a4d387d85e4f75f59d4c2debf68697f23a75d4fbff0704f4034b1724ca304ef3');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (7, '2026-11-22 14:19:15.286862+00', 'key:test', 'policy.pause', 'pol_01a203a01f9a76178be622e3853ae130', 'moved house', 'a543a8ed8d031a157cd39e9ba4a122a61de29688835a75a3d74fc2814aa96600');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (8, '2026-11-22 14:19:15.47191+00', 'key:test', 'location.create', 'loc_01a203a0206f7dd6b7483fc4daf0d2d3', 'Far: s3:https://far.example.org/backups', '3e3efda35537d61f2eaec4ab47bc36b4d0911b1092b60d2c1941231359267b54');
INSERT INTO public.audit (seq, at, actor, action, object, detail, hash) VALUES (9, '2026-11-22 14:19:15.482112+00', 'key:test', 'policy.run', 'pol_01a203a01b8c7729bf3b1fcd3519d2a5', '2 runs', '618ee6555ab1314679af89d4695978a38806a0b35395a920889645090c23fbc9');


--
-- Data for Name: authority; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.authority (singleton, certificate_pem, key_sealed, created_at) VALUES (true, '-----BEGIN CERTIFICATE-----
MIIBgzCCASqgAwIBAgIJAPJcdKHCKAYXMAoGCCqGSM49BAMCMCQxIjAgBgNVBAMT
GUJhY2t1cERyIGFnZW50cyBhdXRob3JpdHkwHhcNMjYxMTIyMTMxOTEyWhcNNDYx
MTE3MTQxOTEyWjAkMSIwIAYDVQQDExlCYWNrdXBEciBhZ2VudHMgYXV0aG9yaXR5
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJzZv4cfUYrp3TT503qShJuEFxDxt
GXoniVk9/aUrOt1dVJF6Sf8d7NVoZmaFbutoW80Mn/tPbSc0h20T4Z6BcKNFMEMw
EgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFK3y
hNc9ipI5RWz+ETM4U0s/29mHMAoGCCqGSM49BAMCA0cAMEQCIDjSbCxxOB+JY4CQ
G6QVWgd9I6L8ChS5VTWPRuKWhimWAiA4+h6QVwRTg/iFnQT/xB6+9NKqnEY9TQax
/DqACQ2kJw==
-----END CERTIFICATE-----', '\x015c2faa0ca7488a82762aae7fb61d568e4b5079329a2bc1ae2565f7068c0b525a21f788f6883fa9c0d8e68cfe1587e91a649fb87d644b044360dcd16b533df403e53c7a05f6653001950ad9cb4325275f5236ce9bda607fcf612851ec1477af2aba9d2cdce8a942f618309419bfe386bf26ee2da3cbae3e9d4b1df5fb629861cadf4fb8ee020959d6f21cfdfc897a06116dc597d80fdeaee024e2dc974cc6ab453c500296c72d', '2026-11-22 14:19:12.119408+00');


--
-- Data for Name: chain_head; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.chain_head (chain, seq, hash) VALUES ('evidence', 2, 'd27d4ce7868ca72618cfffc9834844360ce872fec551a01c2acfc7df7ac98db1');
INSERT INTO public.chain_head (chain, seq, hash) VALUES ('audit', 9, '618ee6555ab1314679af89d4695978a38806a0b35395a920889645090c23fbc9');


--
-- Data for Name: data_protection_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.data_protection_key (name, sealed, created_at) VALUES ('key-159796c7-e7a4-4313-9357-8559382730df', '\x01102fd94bea3589717b1faeaa9145403d6c7ac6b1e9913f822deb2b0e0d5d031d94e949470ca3798057d4cbc4d9c820af0d86efea6a6a1f06c014b4fccc3cf3f052e39dc3d22b95e70bf41151a6de099ead00647216792f08a5ea621a069e525d89c3a43e4190cfdb2c854cbeca9324f7fa5dd7ead843d0e51738a3fa61e3e161f143930739f08b0b2d85e0b911065fbdfd47e4f66b1b6a4688d61b13eae822be6e47d38c33e7edac11a72a6f83cbd683f83fe17f2335c551ab31ea528e0fd8f1133774df0ea91b731493a5cbb536c9149fc03b6736c8fbea0c29c86648e688f72ff17f874006535328006dfea986d6688ed40d5aa8793748ea11e7c6b5243e7359829252b869b380c18655a56736a90ba8b67507d88a58dbdba57b4260f1bfcd918eb82d50c8563a8d14c9166b30bdb2c6b2fa338448f4c54bfbc33a539901aa5721b891d793bf9996ca25904d7cfbfbcd044df55c661f9f8c0b9caafb5bb3e74fc98c62f3841c035e738dca1153b708469f7f81bfe13991eda0303ca0f56ae31fbdd27738160624d5dcee55d31733897b125f9baea8a63705101976dbe6c71eca0bcc424e2314c29e8402f84cbd227f348c1a6a29d70e222489111e3a0c9cb8fd9fe7c98216a905af633a282d19cd197f83ba9c4b511f82b1d01d15cde0b94a23a8279650e4ec5771942238707778d44956dc2650bf2840c524bfd9d19b505a3ad0cbe0b76e0fd8d87fd1b34dea79682e5b88ca1dd4f8c0b9c2de01c84ce60986330300e07e20ea506a010fdfb338ace96c1bd49634073c79d2eb5cb02844e724d6ef1c607055af2e2c5301e82217bcd5e5ee90ebfd70299fcab6c01ebf338a4f8e500502388a97670d9cf042238450ef60456aa9143223428218beaada8ae53fd2be9c9af260c4e46389f1b4d04ccd78e8082e442564f401d73fc3f323a46045f537602296edc958114df2327a53017cc379ac21f9850f853c18248e216232bd9c2da69841e964eb58f2592a7341e344299527e31b9c84f530670330afa7e6ffc5d1ea6930cc22ac888438d51d1fcb21a04e88895efb5677ded624fcfb5fa7664280dc62cbf088c47488c605833cec7d83f702e6835a5168690af19b5516bdc2bd1d3c39c4911e3013df57274ff089b31faba568320d37015ac7b5b1429d8f38f5cbd7bb3a2f1af70db09545ab48c545676f2dfacbb5cb8e560b9f79b474c07cdc7cd85db7438d3246b9c9f7e0ca4eebb5b000693c479587604d8ac9e9996561d4a1dd19fed6f6de13e037d7ca9fb927b451', '2026-11-22 14:19:12.212165+00');


--
-- Data for Name: policy; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.policy (id, name, spec, version, created_at, paused_at, pause_reason, removed_at) VALUES ('01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '/srv/web on web-1', '{"rpo": "1.00:00:00", "rto": "04:00:00", "proof": {"maximumAge": "35.00:00:00", "drillAfterFirst": true}, "schedule": {"every": "1.00:00:00", "timeZone": "UTC"}, "retention": {"floor": 3, "keepDaily": 30, "keepHourly": 48, "keepMonthly": 12}}', 1, '2026-11-22 14:19:14.210925+00', NULL, NULL, NULL);
INSERT INTO public.policy (id, name, spec, version, created_at, paused_at, pause_reason, removed_at) VALUES ('01a203a0-1f9a-7617-8be6-22e3853ae130', '/var/lib/data on db-1', '{"rpo": "1.00:00:00", "rto": "04:00:00", "proof": {"maximumAge": "35.00:00:00", "drillAfterFirst": true}, "schedule": {"every": "1.00:00:00", "timeZone": "UTC"}, "retention": {"floor": 3, "keepDaily": 30, "keepHourly": 48, "keepMonthly": 12}}', 1, '2026-11-22 14:19:15.228923+00', '2026-11-22 14:19:15.279731+00', 'moved house', NULL);


--
-- Data for Name: item; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.item (id, policy_id, host_id, repository_id, name, source, created_at, retired_at) VALUES ('01a203a0-1bb9-7c70-8ac9-2fa4e81d9f8e', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '/srv/web on web-1', '{"kind": "Files", "files": {"paths": ["/srv/web"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}', '2026-11-22 14:19:14.237671+00', NULL);
INSERT INTO public.item (id, policy_id, host_id, repository_id, name, source, created_at, retired_at) VALUES ('01a203a0-1bc4-7ab5-888d-fb21db130971', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '/etc on web-1', '{"kind": "Files", "files": {"paths": ["/etc"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}', '2026-11-22 14:19:14.245472+00', NULL);
INSERT INTO public.item (id, policy_id, host_id, repository_id, name, source, created_at, retired_at) VALUES ('01a203a0-1f9f-78bf-87e4-772b0902ed56', '01a203a0-1f9a-7617-8be6-22e3853ae130', '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', '01a203a0-1f9d-7d23-8f7e-2ebee77b92ea', '/var/lib/data on db-1', '{"kind": "Files", "files": {"paths": ["/var/lib/data"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}', '2026-11-22 14:19:15.232068+00', NULL);


--
-- Data for Name: duty; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: evidence; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.evidence (seq, id, at, kind, subject, body, hash) VALUES (1, '01a203a0-1f80-7821-be53-2217fb8c642b', '2026-11-22 14:19:15.20197+00', 'drill', 'item_01a203a01bb97c708ac92fa4e81d9f8e', '{"bytesCompared":"1000","filesCompared":"3","host":"host_01a203a01b7870a287c8e7a6fdaaa0e5","isolated":"no","mismatches":"0","point":"point_01a203a01f3c764ea3462d1f025ee89d","reason":"","restoreSeconds":"1.500","result":"Proven","run":"run_01a203a01f4c71adac9769a374f6da61"}', 'cf2498c36a2a879ecce0fcdd0098287bc7a78ce9eb88c9d45d3e3d55d6aad187');
INSERT INTO public.evidence (seq, id, at, kind, subject, body, hash) VALUES (2, '01a203a0-1f92-7f32-ace9-13916d448e20', '2026-11-22 14:19:15.22002+00', 'drill', 'item_01a203a01bc47ab5888dfb21db130971', '{"bytesCompared":"1000","filesCompared":"3","host":"host_01a203a01b7870a287c8e7a6fdaaa0e5","isolated":"no","mismatches":"0","point":"point_01a203a01f5b7bb99a9fcd072a389ba8","reason":"","restoreSeconds":"1.500","result":"Proven","run":"run_01a203a01f5e7781b8724f4dcad40f89"}', 'd27d4ce7868ca72618cfffc9834844360ce872fec551a01c2acfc7df7ac98db1');


--
-- Data for Name: found_source; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: gateway_user; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: host_certificate; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.host_certificate (serial, host_id, issued_at, expires_at, first_used_at, revoked_at) VALUES ('5C7773E456FE9B95CD62997217B211DC', '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', '2026-11-22 14:19:14.110611+00', '2026-12-22 14:19:14.103535+00', NULL, NULL);


--
-- Data for Name: join_token; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.join_token (id, hash, agents_url, created_by, created_at, expires_at, script_fetched_at, archive_fetched_at, used_at, host_id, replaces) VALUES ('01a203a0-15fe-73a4-925f-63e7317d24b4', '\x8811ec0d67a097f4ab17e9540ca055ed2acd2292b71b66039d6c6974780f3c9a', 'https://127.0.0.1:38699', 'key:test', '2026-11-22 14:19:12.768456+00', '2026-11-22 15:19:12.768474+00', NULL, NULL, '2026-11-22 14:19:14.092486+00', '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', NULL);


--
-- Data for Name: listener_identity; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.listener_identity (singleton, certificate_pem, key_sealed, expires_at) VALUES (true, '-----BEGIN CERTIFICATE-----
MIIBwjCCAWmgAwIBAgIQXZLtmcBNwfqrRroVKFWLjzAKBggqhkjOPQQDAjAkMSIw
IAYDVQQDExlCYWNrdXBEciBhZ2VudHMgYXV0aG9yaXR5MB4XDTI2MTEyMjEzMTkx
MloXDTI3MTEyMjE0MTkxMlowIzEhMB8GA1UEAxMYQmFja3VwRHIgYWdlbnRzIGxp
c3RlbmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFVvEczGpLyrgNGkCE3Jj
vA0OQUv/AE0sa68fSCCpblILbgxPUuYFY4vUhIbUzM1dWDwlhzML1sA2BUbShoTX
SqN+MHwwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwFgYDVR0lAQH/BAww
CgYIKwYBBQUHAwEwHwYDVR0jBBgwFoAUrfKE1z2KkjlFbP4RMzhTSz/b2YcwIwYD
VR0RBBwwGoIYYWdlbnRzLmJhY2t1cGRyLmludGVybmFsMAoGCCqGSM49BAMCA0cA
MEQCIAfMsSdkx/nqNV0EBgQD6AXdiFKx3Gdg6R+aKZQ7CnoBAiAkBFb3mY6DsfIk
WoV6OXghqjIFdFtMY6IvHJNYO26KOg==
-----END CERTIFICATE-----', '\x01835733b28e60547c5c5347caac71a52563b71d4841f62ab1117714e1809f90557246d2df56d3dd49582617dc566d038b48b0ab18bbc9fd9ade2cba2a541a4f944fd1bca4b487373c5a46e375e07254a868319acede6019524eb439381e41e8cc16efc4b5c5c159f167a3eed9b6059f11cadf73da94e0c2757478a0123ab04746b9b4fa78c959169e7f615164950fac917e206d6861211628f81f8046f65fbd99eed155d513c1', '2027-11-22 14:19:12.125766+00');


--
-- Data for Name: log_range; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: person; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.person (id, name, password, role, must_change_password, created_at, disabled_at) VALUES ('01a203a0-15e8-7577-afa6-1f66edfd97a6', 'admin', 'pbkdf2-sha512$210000$uec7WY0KUlmI8KJbVOjsxA==$j2vbPGPtD7M2knwMCLlsBAT6oYJ7OOf+7Vp91pUV9Fw=', 'Admin', true, '2026-11-22 14:19:12.745449+00', NULL);


--
-- Data for Name: recovery_kit; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: recovery_point; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup, proof, proof_at, proof_run_id, proof_restore_seconds, found, gone_at) VALUES ('01a203a0-1f3c-764e-a346-2d1f025ee89d', '01a203a0-1bb9-7c70-8ac9-2fa4e81d9f8e', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '01a203a0-1c0d-7fbd-99bb-f17c2f9f2def', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2026-11-22 14:19:15.126734+00', '2026-11-22 14:19:15.136178+00', true, '{"bytes": 1000, "files": 3, "folders": 0, "missing": [], "seconds": 0, "takenAt": "2026-11-22T14:19:15.1267342+00:00", "bytesNew": 0, "filesNew": 0, "bytesAdded": 0, "snapshotId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "filesChanged": 0, "missingCount": 0}', 'Proven', '2026-11-22 14:19:15.196528+00', '01a203a0-1f4c-71ad-ac97-69a374f6da61', 1.5, NULL, NULL);
INSERT INTO public.recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup, proof, proof_at, proof_run_id, proof_restore_seconds, found, gone_at) VALUES ('01a203a0-1f5b-7bb9-9a9f-cd072a389ba8', '01a203a0-1bc4-7ab5-888d-fb21db130971', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '01a203a0-1c15-79d8-b5ba-bf2451ad89fa', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '2026-11-22 14:19:15.161377+00', '2026-11-22 14:19:15.164272+00', true, '{"bytes": 1000, "files": 3, "folders": 0, "missing": [], "seconds": 0, "takenAt": "2026-11-22T14:19:15.1613778+00:00", "bytesNew": 0, "filesNew": 0, "bytesAdded": 0, "snapshotId": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "filesChanged": 0, "missingCount": 0}', 'Proven', '2026-11-22 14:19:15.217873+00', '01a203a0-1f5e-7781-b872-4f4dcad40f89', 1.5, NULL, NULL);


--
-- Data for Name: recovery_point_place; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.recovery_point_place (point_id, location_id, seen_at) VALUES ('01a203a0-1f3c-764e-a346-2d1f025ee89d', '01a203a0-1bab-7205-9369-9d69972ade1a', '2026-11-22 14:19:15.139528+00');
INSERT INTO public.recovery_point_place (point_id, location_id, seen_at) VALUES ('01a203a0-1f5b-7bb9-9a9f-cd072a389ba8', '01a203a0-1bab-7205-9369-9d69972ade1a', '2026-11-22 14:19:15.165303+00');


--
-- Data for Name: replica; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: run; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1be0-732d-aad0-7c9071541b0a', 'Init', 'Complete', 'Make the repository of web-1', NULL, NULL, '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', NULL, NULL, '2026-11-22 14:19:14.313053+00', '2026-11-22 14:19:14.31307+00', '2026-11-22 14:19:14.98915+00', '2026-11-22 14:19:15.05847+00', 'system', '{"kind": "Init", "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, NULL, 0, NULL, NULL, '{"outcome": "Complete", "configId": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"}', NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1c0d-7fbd-99bb-f17c2f9f2def', 'Backup', 'Complete', 'Back up /srv/web on web-1', '01a203a0-1bb9-7c70-8ac9-2fa4e81d9f8e', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', NULL, NULL, '2026-11-22 14:19:14.320379+00', '2026-11-22 14:19:14.3204+00', '2026-11-22 14:19:15.112319+00', '2026-11-22 14:19:15.129964+00', 'key:test', '{"kind": "Init", "backup": {"tags": ["backupdr.item=item_01a203a01bb97c708ac92fa4e81d9f8e", "backupdr.run=run_01a203a01c0d7fbd99bbf17c2f9f2def"], "source": {"kind": "Files", "files": {"paths": ["/srv/web"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "hostName": "web-1"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, NULL, 0, NULL, NULL, '{"backup": {"bytes": 1000, "files": 3, "folders": 0, "missing": [], "seconds": 0, "takenAt": "2026-11-22T14:19:15.1267342+00:00", "bytesNew": 0, "filesNew": 0, "bytesAdded": 0, "snapshotId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "filesChanged": 0, "missingCount": 0}, "outcome": "Complete"}', NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1c15-79d8-b5ba-bf2451ad89fa', 'Backup', 'Complete', 'Back up /etc on web-1', '01a203a0-1bc4-7ab5-888d-fb21db130971', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', NULL, NULL, '2026-11-22 14:19:14.326425+00', '2026-11-22 14:19:14.32644+00', '2026-11-22 14:19:15.157233+00', '2026-11-22 14:19:15.163067+00', 'key:test', '{"kind": "Init", "backup": {"tags": ["backupdr.item=item_01a203a01bc47ab5888dfb21db130971", "backupdr.run=run_01a203a01c1579d8b5babf2451ad89fa"], "source": {"kind": "Files", "files": {"paths": ["/etc"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "hostName": "web-1"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, NULL, 0, NULL, NULL, '{"backup": {"bytes": 1000, "files": 3, "folders": 0, "missing": [], "seconds": 0, "takenAt": "2026-11-22T14:19:15.1613778+00:00", "bytesNew": 0, "filesNew": 0, "bytesAdded": 0, "snapshotId": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "filesChanged": 0, "missingCount": 0}, "outcome": "Complete"}', NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1f4c-71ad-ac97-69a374f6da61', 'Drill', 'Complete', 'Drill /srv/web on web-1', '01a203a0-1bb9-7c70-8ac9-2fa4e81d9f8e', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '01a203a0-1f3c-764e-a346-2d1f025ee89d', NULL, '2026-11-22 14:19:15.149688+00', '2026-11-22 14:19:15.149702+00', '2026-11-22 14:19:15.174652+00', '2026-11-22 14:19:15.192807+00', 'system: first proof', '{"kind": "Init", "drill": {"liveSource": {"kind": "Files", "files": {"paths": ["/srv/web"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "snapshotId": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, NULL, 1, NULL, NULL, '{"drill": {"result": "Proven", "seconds": 0, "isolated": false, "liveEqual": 0, "mismatches": [], "liveChanged": 0, "bytesCompared": 1000, "filesCompared": 3, "restoreSeconds": 1.5}, "outcome": "Complete"}', NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1f5e-7781-b872-4f4dcad40f89', 'Drill', 'Complete', 'Drill /etc on web-1', '01a203a0-1bc4-7ab5-888d-fb21db130971', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', '01a203a0-1f5b-7bb9-9a9f-cd072a389ba8', NULL, '2026-11-22 14:19:15.167446+00', '2026-11-22 14:19:15.167458+00', '2026-11-22 14:19:15.209594+00', '2026-11-22 14:19:15.216717+00', 'system: first proof', '{"kind": "Init", "drill": {"liveSource": {"kind": "Files", "files": {"paths": ["/etc"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "snapshotId": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, NULL, 1, NULL, NULL, '{"drill": {"result": "Proven", "seconds": 0, "isolated": false, "liveEqual": 0, "mismatches": [], "liveChanged": 0, "bytesCompared": 1000, "filesCompared": 3, "restoreSeconds": 1.5}, "outcome": "Complete"}', NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1fa4-7b57-9783-99068ca39bbf', 'Init', 'Queued', 'Make the repository of db-1', NULL, NULL, '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', '01a203a0-1f9d-7d23-8f7e-2ebee77b92ea', NULL, NULL, '2026-11-22 14:19:15.237322+00', '2026-11-22 14:19:15.237335+00', NULL, NULL, 'system', '{"kind": "Init", "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 0, NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-1fa6-7185-9b4f-1c5a02b736c8', 'Backup', 'Queued', 'Back up /var/lib/data on db-1', '01a203a0-1f9f-78bf-87e4-772b0902ed56', '01a203a0-1f9a-7617-8be6-22e3853ae130', '01a203a0-1b30-7f2a-a7d0-7bbf49fd5ecf', '01a203a0-1f9d-7d23-8f7e-2ebee77b92ea', NULL, NULL, '2026-11-22 14:19:15.239433+00', '2026-11-22 14:19:15.239445+00', NULL, NULL, 'key:test', '{"kind": "Init", "backup": {"tags": ["backupdr.item=item_01a203a01f9f78bf87e4772b0902ed56", "backupdr.run=run_01a203a01fa671859b4f1c5a02b736c8"], "source": {"kind": "Files", "files": {"paths": ["/var/lib/data"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "hostName": "db-1"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 0, NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-2098-7feb-a39a-28aa323b30e8', 'Backup', 'Queued', 'Back up /etc on web-1', '01a203a0-1bc4-7ab5-888d-fb21db130971', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', NULL, NULL, '2026-11-22 14:19:15.480841+00', '2026-11-22 14:19:15.480853+00', NULL, NULL, 'key:test', '{"kind": "Init", "backup": {"tags": ["backupdr.item=item_01a203a01bc47ab5888dfb21db130971", "backupdr.run=run_01a203a020987feba39a28aa323b30e8"], "source": {"kind": "Files", "files": {"paths": ["/etc"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "hostName": "web-1"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 0, NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO public.run (id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at, finished_at, requested_by, job, lease_epoch, lease_until, report_seq, cancel_asked_at, progress, result, thawing, looks) VALUES ('01a203a0-2097-7923-9366-ec14a780e700', 'Backup', 'Leased', 'Back up /srv/web on web-1', '01a203a0-1bb9-7c70-8ac9-2fa4e81d9f8e', '01a203a0-1b8c-7729-bf3b-1fcd3519d2a5', '01a203a0-1b78-70a2-87c8-e7a6fdaaa0e5', '01a203a0-1bb0-78b0-a78d-faf409aa0893', NULL, NULL, '2026-11-22 14:19:15.479479+00', '2026-11-22 14:19:15.479492+00', '2026-11-22 14:19:15.484515+00', NULL, 'key:test', '{"kind": "Init", "backup": {"tags": ["backupdr.item=item_01a203a01bb97c708ac92fa4e81d9f8e", "backupdr.run=run_01a203a0209779239366ec14a780e700"], "source": {"kind": "Files", "files": {"paths": ["/srv/web"], "excludes": [], "excludeCaches": true, "oneFileSystem": false}}, "hostName": "web-1"}, "repository": {"id": "repo_00000000000000000000000000000000", "url": "", "password": ""}}', 1, '2026-11-22 14:19:45.484523+00', 0, NULL, NULL, NULL, NULL, 0);


--
-- Data for Name: run_event; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1be0-732d-aad0-7c9071541b0a', 1, 0, '2026-11-22 14:19:14.315731+00', 'Info', 'run.queued', 'Queued by system.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c0d-7fbd-99bb-f17c2f9f2def', 1, 0, '2026-11-22 14:19:14.321331+00', 'Info', 'run.queued', 'Queued by key:test.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c15-79d8-b5ba-bf2451ad89fa', 1, 0, '2026-11-22 14:19:14.327231+00', 'Info', 'run.queued', 'Queued by key:test.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1be0-732d-aad0-7c9071541b0a', 2, 1, '2026-11-22 14:19:14.991535+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1be0-732d-aad0-7c9071541b0a', 3, 1, '2026-11-22 14:19:15.059853+00', 'Info', 'run.complete', 'Complete.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c0d-7fbd-99bb-f17c2f9f2def', 2, 1, '2026-11-22 14:19:15.114274+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c0d-7fbd-99bb-f17c2f9f2def', 3, 1, '2026-11-22 14:19:15.13073+00', 'Info', 'run.complete', 'Complete.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f4c-71ad-ac97-69a374f6da61', 1, 0, '2026-11-22 14:19:15.150583+00', 'Info', 'run.queued', 'Queued by system: first proof.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c15-79d8-b5ba-bf2451ad89fa', 2, 1, '2026-11-22 14:19:15.157914+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1c15-79d8-b5ba-bf2451ad89fa', 3, 1, '2026-11-22 14:19:15.16363+00', 'Info', 'run.complete', 'Complete.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f5e-7781-b872-4f4dcad40f89', 1, 0, '2026-11-22 14:19:15.16818+00', 'Info', 'run.queued', 'Queued by system: first proof.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f4c-71ad-ac97-69a374f6da61', 2, 1, '2026-11-22 14:19:15.17555+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f4c-71ad-ac97-69a374f6da61', 3, 1, '2026-11-22 14:19:15.188382+00', 'Info', 'test.line', 'a line');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f4c-71ad-ac97-69a374f6da61', 4, 1, '2026-11-22 14:19:15.193375+00', 'Info', 'run.complete', 'Complete.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f5e-7781-b872-4f4dcad40f89', 2, 1, '2026-11-22 14:19:15.210295+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f5e-7781-b872-4f4dcad40f89', 3, 1, '2026-11-22 14:19:15.214443+00', 'Info', 'test.line', 'a line');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1f5e-7781-b872-4f4dcad40f89', 4, 1, '2026-11-22 14:19:15.217319+00', 'Info', 'run.complete', 'Complete.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1fa4-7b57-9783-99068ca39bbf', 1, 0, '2026-11-22 14:19:15.237996+00', 'Info', 'run.queued', 'Queued by system.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-1fa6-7185-9b4f-1c5a02b736c8', 1, 0, '2026-11-22 14:19:15.240096+00', 'Info', 'run.queued', 'Queued by key:test.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-2097-7923-9366-ec14a780e700', 1, 0, '2026-11-22 14:19:15.479981+00', 'Info', 'run.queued', 'Queued by key:test.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-2098-7feb-a39a-28aa323b30e8', 1, 0, '2026-11-22 14:19:15.481312+00', 'Info', 'run.queued', 'Queued by key:test.');
INSERT INTO public.run_event (run_id, seq, epoch, at, level, code, text) VALUES ('01a203a0-2097-7923-9366-ec14a780e700', 2, 1, '2026-11-22 14:19:15.48483+00', 'Info', 'run.leased', 'Taken by the agent (lease 1).');


--
-- Data for Name: sealing_key; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sealing_key (singleton, fingerprint, created_at) VALUES (true, '\xb397893f0da32b2e6ab7dbbc6292285a5236847e30c239039c1b81df9ca56de6', '2026-11-22 14:19:12.093467+00');


--
-- Data for Name: session; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: sign_in_failure; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Name: recovery_kit_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.recovery_kit_id_seq', 1, false);


--
-- PostgreSQL database dump complete
--


