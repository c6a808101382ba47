-- Fills the tables of schema.sql, the same way every time: 300 users, 4 roles with 14 permissions, 11 stages.
-- Dates of registration, of roles and of the journey are fixed. What ages is counted back from now, by half hours and
-- half days, so that no row stands on the edge of a limit: "lastActive", sessions and the audit log.
--
-- Fixed rows, for trying things out:
--   user_0001  admin@platform.example       admin; has every role but MENTOR
--   user_0002  developer@platform.example   mentor, 1450 points
--   user_0003  suspicious@platform.example  active, with three sessions; to be suspended
--   user_0004  conor.o'brien@platform.example  a quote in both the name and the address
--   user_0005  newcomer@platform.example    pending: never active, without a role, journey not begun
--   user_0006  zoe@platform.example         suspended
--   user_0007  idle@platform.example        inactive for two years, the name has quotes and umlauts

SET TimeZone = 'UTC';

INSERT INTO "Role" (id, name, description) VALUES
    ('role_member', 'MEMBER', 'Everybody who takes part'),
    ('role_mentor', 'MENTOR', 'Helps members along their journey'),
    ('role_moderator', 'MODERATOR', 'Keeps the peace'),
    ('role_admin', 'ADMIN', 'Runs the platform');

INSERT INTO "Permission" (id, name, resource, action, description)
SELECT 'perm_' || resource || '_' || action, resource || ':' || action, resource, action, NULL
FROM (VALUES ('user', 'read'), ('user', 'write'), ('user', 'suspend'), ('role', 'read'), ('role', 'assign'),
             ('project', 'read'), ('project', 'write'), ('project', 'delete'), ('journey', 'read'), ('journey', 'write'),
             ('comment', 'write'), ('comment', 'hide'), ('audit', 'read'), ('setting', 'write')) p (resource, action);

-- 5 for members, 7 for mentors, 8 for moderators, 13 for admins: nobody may change settings.
INSERT INTO "RolePermission" ("roleId", "permissionId")
SELECT 'role_member', 'perm_' || p FROM unnest(ARRAY['user_read', 'project_read', 'project_write', 'journey_read', 'comment_write']) p
UNION ALL
SELECT 'role_mentor', 'perm_' || p FROM unnest(ARRAY['user_read', 'project_read', 'project_write', 'journey_read', 'comment_write',
                                                     'journey_write', 'role_read']) p
UNION ALL
SELECT 'role_moderator', 'perm_' || p FROM unnest(ARRAY['user_read', 'project_read', 'project_write', 'journey_read', 'comment_write',
                                                        'comment_hide', 'user_suspend', 'audit_read']) p
UNION ALL
SELECT 'role_admin', id FROM "Permission" WHERE id <> 'perm_setting_write';

INSERT INTO "JourneyStage" (id, name, "order", description)
SELECT 'stage_' || lpad(n::text, 2, '0'), name, n, 'Stage ' || n || ' of 11'
FROM unnest(ARRAY['Account Creation', 'Profile Setup', 'Platform Legal Pack', 'Subscription Selection', 'Platform Orientation',
                  'First Connections', 'Project Planning', 'Team Building', 'Project Launch', 'Progress Review', 'Graduation'])
     WITH ORDINALITY AS s (name, n);

-- A password is a made-up bcrypt hash: nobody can log in by it.
INSERT INTO "User" (id, email, username, name, "firstName", "lastName", password, role, level, xp, reputation, status,
                    "lastActive", "createdAt", "updatedAt")
SELECT id, email, username, name, split_part(name, ' ', 1), nullif(substr(name, strpos(name, ' ') + 1), name),
       '$2b$12$' || left(md5(id) || md5(email), 53), role, level, xp, reputation, status, active, created::timestamp, created::timestamp
FROM (VALUES
    ('user_0001', 'admin@platform.example', 'admin', 'Ada Adams', 'ADMIN', 'SKY_MASTER', 5200, 520, 'ACTIVE', now() - interval '12 hours', '2025-01-06 09:00'),
    ('user_0002', 'developer@platform.example', 'developer', 'Dev Patel', 'MENTOR', 'WISE_OWL', 1450, 140, 'ACTIVE', now() - interval '36 hours', '2025-01-06 09:05'),
    ('user_0003', 'suspicious@platform.example', 'suspicious', 'Sam Stranger', 'MEMBER', 'OWLET', 15, 0, 'ACTIVE', now() - interval '12 hours', '2025-01-07 23:59'),
    ('user_0004', 'conor.o''brien@platform.example', 'conor', 'Conor O''Brien', 'MEMBER', 'NIGHT_WATCHER', 640, 61, 'ACTIVE', now() - interval '60 hours', '2025-01-08 10:30'),
    ('user_0005', 'newcomer@platform.example', 'newcomer', 'Nia', 'MEMBER', 'OWLET', 0, 0, 'PENDING', NULL, '2025-09-17 16:45'),
    ('user_0006', 'zoe@platform.example', 'zoe', 'Zoe Zimmer', 'MEMBER', 'OWLET', 99, 9, 'SUSPENDED', now() - interval '300 hours', '2025-01-09 08:00'),
    ('user_0007', 'idle@platform.example', 'idle', 'Jörg "Joe" Müller', 'MEMBER', 'OWLET', 100, 10, 'ACTIVE', now() - interval '730 days', '2025-01-10 12:00')
) fixed (id, email, username, name, role, level, xp, reputation, status, active, created);

-- The others: 8 to 300. One in 10 is a mentor, one in 50 a moderator; points grow unevenly up to 2000.
-- Who is active was seen within the last 149 days, so that some are idle for more than 90.
INSERT INTO "User" (id, email, username, name, "firstName", "lastName", password, role, level, xp, reputation, status,
                    "lastActive", "createdAt", "updatedAt")
SELECT 'user_' || lpad(n::text, 4, '0'), lower(first || '.' || last) || n || '@example.com', lower(first) || n, first || ' ' || last,
       first, last, '$2b$12$' || left(md5('a' || n) || md5('b' || n), 53),
       CASE WHEN n % 50 = 0 THEN 'MODERATOR' WHEN n % 10 = 0 THEN 'MENTOR' ELSE 'MEMBER' END,
       CASE WHEN xp < 100 THEN 'OWLET' WHEN xp < 1000 THEN 'NIGHT_WATCHER' ELSE 'WISE_OWL' END,
       xp, xp / 10,
       CASE WHEN n % 29 = 0 THEN 'SUSPENDED' WHEN n % 23 = 0 THEN 'INACTIVE' WHEN n % 19 = 0 THEN 'PENDING' ELSE 'ACTIVE' END,
       CASE WHEN n % 19 <> 0 THEN now() - make_interval(days => n * 7 % 150, hours => 12) END,
       created, created
FROM generate_series(8, 300) n
CROSS JOIN LATERAL (
    SELECT (ARRAY['Alma', 'Ben', 'Cleo', 'Dara', 'Emil', 'Fay', 'Gus', 'Hana', 'Ivo', 'June', 'Kai', 'Lena', 'Milo'])[n % 13 + 1] AS first,
           (ARRAY['Abbott', 'Berg', 'Costa', 'Dunn', 'Egede', 'Frost', 'Grant', 'Holm', 'Ito', 'Jung', 'Klein'])[n % 11 + 1] AS last,
           n * n * 13 % 2001 AS xp,
           timestamp '2025-01-11' + make_interval(days => n * 5 / 6, hours => n % 24) AS created
) one;

INSERT INTO "UserRole" ("userId", "roleId", "assignedAt")
SELECT id, 'role_' || lower(role), "createdAt" FROM "User" WHERE id <> 'user_0005'
UNION ALL
SELECT 'user_0001', r, timestamp '2025-01-06 09:00' FROM unnest(ARRAY['role_member', 'role_moderator']) r;

-- Everybody but newcomers is somewhere on the way: completed up to a stage, in progress at the next one. A few skip one.
INSERT INTO "UserJourneyState" (id, "userId", "stageId", status, "startedAt", "completedAt")
SELECT 'state_' || right(u.id, 4) || '_' || s."order", u.id, s.id,
       CASE WHEN s."order" = reached THEN 'IN_PROGRESS' WHEN (n + s."order") % 31 = 0 THEN 'SKIPPED' ELSE 'COMPLETED' END,
       u."createdAt" + make_interval(days => s."order" - 1),
       CASE WHEN s."order" < reached AND (n + s."order") % 31 <> 0 THEN u."createdAt" + make_interval(days => s."order" - 1, hours => 20) END
FROM "User" u
CROSS JOIN LATERAL (SELECT right(u.id, 4)::int AS n) number
CROSS JOIN LATERAL (SELECT CASE n WHEN 1 THEN 2 ELSE n * 7 % 12 + 1 END AS reached) way
JOIN "JourneyStage" s ON s."order" <= reached
WHERE u.status <> 'PENDING';

-- 200 sessions: 80 are over. Three are of user_0003, two of them live.
INSERT INTO "Session" (id, "userId", "tokenHash", "createdAt", "expiresAt")
SELECT 'session_' || lpad(n::text, 4, '0'), CASE WHEN n IN (80, 81, 82) THEN 'user_0003' ELSE 'user_' || lpad((n + 7)::text, 4, '0') END,
       encode(sha256(('token ' || n)::bytea), 'hex'), ends - interval '30 days', ends
FROM generate_series(1, 200) n
CROSS JOIN LATERAL (SELECT now() + make_interval(hours => n - 81, mins => 30) AS ends) one;

-- 1200 entries, one an hour: 481 are older than 30 days.
INSERT INTO audit_log ("userId", action, resource, detail, "createdAt")
SELECT CASE WHEN n % 5 <> 0 THEN 'user_' || lpad((n % 300 + 1)::text, 4, '0') END,
       (ARRAY['login', 'login_failed', 'profile_updated', 'stage_completed', 'role_viewed'])[n % 5 + 1],
       (ARRAY['session', 'session', 'user', 'journey', 'role'])[n % 5 + 1],
       jsonb_build_object('address', '192.0.2.' || n % 250 + 1, 'number', n),
       now() - make_interval(hours => n, mins => 30)
FROM generate_series(1200, 1, -1) n;

ANALYZE;
