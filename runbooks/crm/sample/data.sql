-- Fills the tables of schema.sql, the same way every time. Two settings steer it:
--   sample.companies   how many companies (default 1000, at least 100)
--   sample.now         the moment that the data is "as of" (default 2026-11-02 12:00 UTC)
-- e.g.  SET sample.companies = 100000;
--
-- Fixed rows, for trying things out:
--   company  7  Globex Corporation  active; its users 4 to 8 show every reason why a login may fail
--   company 42  Acme GmbH           suspended; subscription 9001; users 1 to 3, all inactive
--   company 66  Initech LLC         suspended, and without a subscription
-- Every other company's users count from 1001; the subscription of company N is 8959 + N.

CREATE FUNCTION pg_temp.sample_pick(n bigint, salt bigint, choices bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS 'SELECT (hashint8extended(n, salt) & 2147483647) % choices';

-- For speed, foreign keys and the larger indexes are made at the end, at once, instead of row by row.
SET jit = off;
SET TimeZone = 'UTC';
ALTER TABLE users DROP CONSTRAINT users_company_id_fkey;
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_company_id_fkey;
ALTER TABLE activity DROP CONSTRAINT activity_company_id_fkey, DROP CONSTRAINT activity_user_id_fkey;
ALTER TABLE users DROP CONSTRAINT users_email_key;
DROP INDEX users_company_id_idx, activity_company_id_idx, activity_user_id_idx, activity_created_at_idx;

-- Companies: 3 % suspended, 7 % on trial, 4 % cancelled, the others active.
-- A name is one of 40 x 40 x 64 = 102400 combinations and repeats, with a number, only after all are used.
INSERT INTO companies (id, name, status, suspended_at, created_at)
WITH clock AS MATERIALIZED (
    SELECT coalesce(nullif(current_setting('sample.now', true), ''), '2026-11-02 12:00:00+00')::timestamptz AS moment
), words AS MATERIALIZED (
    SELECT string_to_array('Amber Ash Birch Black Blue Bright Cedar Clear Copper Crown East Elm Ever Fair Fox Glen Gold '
                           'Grand Green Grey Harbour Hazel Iron Kings Lake Maple Mill North Oak Old Pine Red River Rose '
                           'Silver South Stone Summer West Winter', ' ') AS heads,
           string_to_array('bank beck bourne bridge brook burn bury cliff cote cross dale den field ford forth gate grove '
                           'hall ham haven heath hill holm hurst land ley lock mere minster moor mouth point port ridge '
                           'shaw stead thorpe ton wick wood', ' ') AS tails,
           string_to_array('Accounting Advisory Aerospace Analytics Apparel Architects Automation Aviation Bakery Biotech '
                           'Brewing Cargo Ceramics Chemicals Clinics Coatings Consulting Controls Couriers Dairy Design '
                           'Digital Dynamics Electric Energy Engineering Events Farms Fabrics Finance Foods Forwarding '
                           'Foundry Furniture Gardens Glass Health Hotels Imaging Instruments Insurance Interiors '
                           'Laboratories Legal Lighting Logistics Machinery Marine Media Metals Mobility Networks Optics '
                           'Packaging Paper Pharma Plastics Press Robotics Security Software Studios Textiles Tools',
                           ' ') AS trades,
           string_to_array('GmbH,Ltd,Inc.,AG,B.V.,S.A.,AB,Oy,ApS,LLC,& Co. KG,Group', ',') AS forms
), numbered AS (
    SELECT n, (n * 48611 + 27) % 102400 AS combination, n / 102400 AS repetition,
           pg_temp.sample_pick(n, 1, 100) AS luck
    FROM generate_series(1, greatest(coalesce(nullif(current_setting('sample.companies', true), '')::bigint, 1000),
                                     100)) AS n
), placed AS (
    SELECT n, combination, repetition,
           CASE WHEN n = 7 THEN 'active'
                WHEN n IN (42, 66) THEN 'suspended'
                WHEN luck < 3 THEN 'suspended'
                WHEN luck < 10 THEN 'trial'
                WHEN luck < 14 THEN 'cancelled'
                ELSE 'active' END AS status
    FROM numbered
)
SELECT n,
       CASE n WHEN 7 THEN 'Globex Corporation'
              WHEN 42 THEN 'Acme GmbH'
              WHEN 66 THEN 'Initech LLC'
              ELSE heads[1 + combination % 40] || tails[1 + combination / 40 % 40] || ' ' || trades[1 + combination / 1600]
                   || CASE WHEN repetition > 0 THEN ' ' || (repetition + 1) ELSE '' END
                   || ' ' || forms[1 + pg_temp.sample_pick(n, 2, 12)] END,
       status,
       CASE WHEN n = 42 THEN moment - interval '3 hours 45 minutes 57 seconds'
            WHEN status = 'suspended'
            THEN moment - interval '1 second' * (14400 + pg_temp.sample_pick(n, 3, 45 * 86400)) END,
       CASE WHEN status = 'trial'
            THEN moment - interval '1 second' * (86400 + pg_temp.sample_pick(n, 4, 27 * 86400))
            ELSE moment - interval '1 second' * (90 * 86400 + pg_temp.sample_pick(n, 4, 2000 * 86400)) END
FROM placed, words, clock
ORDER BY n;

-- Users: one to seven in a company, the first of them always an admin. Whoever belongs to a suspended or
-- cancelled company is inactive; elsewhere 4 % are inactive and 3 % have not verified their e-mail address.
INSERT INTO users (id, company_id, email, full_name, role, is_active, email_verified, last_login_at, created_at)
WITH clock AS MATERIALIZED (
    SELECT coalesce(nullif(current_setting('sample.now', true), ''), '2026-11-02 12:00:00+00')::timestamptz AS moment
), words AS MATERIALIZED (
    SELECT string_to_array('Aisha Alice Amara Anders Anna Antonio Arjun Björn Carla Carlos Chiara Chloé Clara Daniel David '
                           'Diego Elena Elif Emma Erik Fatima Felix Fiona François Gita Hana Hannah Hugo Ines Ivan Jan '
                           'Jonas Julia Jürgen Karin Kenji Laila Lars Laura Leila Liam Lucia Łukasz Maria Marta Mateo Mei '
                           'Milan Nadia Nia Noah Olga Omar Paula Pedro Priya Rosa Samir Sara Søren Tomás Vera Yusuf Zoë',
                           ' ') AS given,
           string_to_array('aisha alice amara anders anna antonio arjun bjoern carla carlos chiara chloe clara daniel david '
                           'diego elena elif emma erik fatima felix fiona francois gita hana hannah hugo ines ivan jan '
                           'jonas julia juergen karin kenji laila lars laura leila liam lucia lukasz maria marta mateo mei '
                           'milan nadia nia noah olga omar paula pedro priya rosa samir sara soeren tomas vera yusuf zoe',
                           ' ') AS given_ascii,
           string_to_array('Abe Adeyemi Ahmed Almeida Andersson Bauer Becker Bergström Bianchi Brown Carvalho Chen Costa '
                           'Dubois Evans Fischer Fontaine Garcia Haddad Hansen Hoffmann Ito Ivanova Jansen Jensen Kaya '
                           'Keller Khan Kim Kowalski Larsen Laurent Lee Lindqvist Lopez Mensah Meyer Moreau Müller Nguyen '
                           'Nowak Nuñez Okafor Okoye Olsen Park Patel Petrov Popescu Reyes Ricci Rossi Santos Sato Schmidt '
                           'Silva Singh Smith Tanaka Taylor Virtanen Weber Wójcik Yilmaz', ' ') AS family,
           string_to_array('abe adeyemi ahmed almeida andersson bauer becker bergstroem bianchi brown carvalho chen costa '
                           'dubois evans fischer fontaine garcia haddad hansen hoffmann ito ivanova jansen jensen kaya '
                           'keller khan kim kowalski larsen laurent lee lindqvist lopez mensah meyer moreau mueller nguyen '
                           'nowak nunez okafor okoye olsen park patel petrov popescu reyes ricci rossi santos sato schmidt '
                           'silva singh smith tanaka taylor virtanen weber wojcik yilmaz', ' ') AS family_ascii
), owners AS (
    -- The e-mail domain is the name without its legal form.
    SELECT id AS company_id, status, created_at, suspended_at,
           lower(split_part(name, ' ', 1) || '-' || split_part(name, ' ', 2)
                 || CASE WHEN id >= 102400 THEN '-' || (id / 102400 + 1) ELSE '' END) || '.example' AS domain
    FROM companies
    WHERE id NOT IN (7, 42, 66)
), members AS (
    SELECT 1000 + row_number() OVER (ORDER BY company_id, k) AS id, o.*, k,
           -- 17 and 64 share no factor: nobody in a company has another's given name, so addresses are unique.
           1 + (pg_temp.sample_pick(company_id, 5, 64) + 17 * k) % 64 AS g,
           1 + pg_temp.sample_pick(company_id * 8 + k, 6, 64) AS f,
           pg_temp.sample_pick(company_id * 8 + k, 7, 100) AS luck
    FROM owners o, generate_series(0, pg_temp.sample_pick(company_id, 8, 7)) AS k
), states AS (
    SELECT m.*,
           status IN ('active', 'trial') AND (k = 0 OR luck >= 4) AS is_active,
           k = 0 OR luck NOT IN (3, 4, 5) AS email_verified
    FROM members m
)
SELECT id, company_id, given_ascii[g] || '.' || family_ascii[f] || '@' || domain, given[g] || ' ' || family[f],
       CASE WHEN k = 0 OR luck >= 92 THEN 'admin' ELSE 'user' END,
       is_active, email_verified,
       CASE WHEN NOT email_verified THEN NULL
            ELSE greatest(created_at, CASE
                WHEN is_active
                THEN moment - interval '1 second' * (60 + pg_temp.sample_pick(id, 9, 30 * 86400))
                ELSE coalesce(suspended_at, moment - interval '60 days')
                     - interval '1 second' * pg_temp.sample_pick(id, 9, 20 * 86400) END) END,
       date_trunc('second', created_at + greatest(moment - interval '85 days' - created_at, interval '0')
                                         * least(k, 1) * (pg_temp.sample_pick(id, 10, 1000) / 1000.0)::float8)
FROM states, words, clock;

INSERT INTO users (id, company_id, email, full_name, role, is_active, email_verified, last_login_at, created_at)
SELECT id, company_id, email, full_name, role, is_active, email_verified,
       moment - last_login, moment - interval '80 days'
FROM (SELECT coalesce(nullif(current_setting('sample.now', true), ''), '2026-11-02 12:00:00+00')::timestamptz AS moment) AS clock,
     (VALUES
    (1::bigint, 42::bigint, 'ada@acme.example', 'Ada Lovelace', 'user', false, false, NULL::interval),
    (2, 42, 'konrad@acme.example', 'Konrad Zuse', 'admin', false, true, '1 day 3 hours'),
    (3, 42, 'grete@acme.example', 'Grete Hermann', 'user', false, true, '4 days 5 hours'),
    (4, 7, 'grace@globex.example', 'Grace Hopper', 'user', false, false, NULL),
    (5, 7, 'hedy@globex.example', 'Hedy Lamarr', 'admin', true, true, '35 minutes'),
    (6, 7, 'edsger@globex.example', 'Edsger Dijkstra', 'user', true, true, '2 hours'),
    (7, 7, 'barbara@globex.example', 'Barbara Liskov', 'user', false, true, '40 days'),
    (8, 7, 'alan@globex.example', 'Alan Turing', 'user', true, false, NULL),
    (9, 66, 'radia@initech.example', 'Radia Perlman', 'admin', false, true, '50 days'),
    (10, 66, 'tim@initech.example', 'Tim Paterson', 'user', false, true, '51 days')
) AS fixed (id, company_id, email, full_name, role, is_active, email_verified, last_login);

-- Subscriptions: of the active ones 6 % are past due. The starter plan is paid by the month, the others by the year.
INSERT INTO subscriptions (id, company_id, plan, status, seats, current_period_end, created_at)
WITH clock AS MATERIALIZED (
    SELECT coalesce(nullif(current_setting('sample.now', true), ''), '2026-11-02 12:00:00+00')::timestamptz AS moment
), staffed AS (
    SELECT c.id, c.status, c.created_at, c.suspended_at, u.users,
           pg_temp.sample_pick(c.id, 11, 100) AS luck,
           CASE WHEN u.users <= 2 THEN 'starter' WHEN u.users <= 5 THEN 'business' ELSE 'enterprise' END AS plan
    FROM companies c
    JOIN (SELECT company_id, count(*) AS users FROM users GROUP BY company_id) u ON u.company_id = c.id
    WHERE c.id <> 66
), judged AS (
    SELECT staffed.*,
           CASE status WHEN 'trial' THEN 'trialing'
                       WHEN 'active' THEN CASE WHEN luck < 6 AND id <> 7 THEN 'past_due' ELSE 'active' END
                       ELSE status END AS standing,
           interval '1 day' * CASE plan WHEN 'starter' THEN 30 ELSE 365 END AS period
    FROM staffed
)
SELECT 8959 + id, id, plan, standing, (users + 4) / 5 * 5,
       CASE standing
            WHEN 'trialing' THEN created_at + interval '30 days'
            WHEN 'active' THEN moment + period * ((1 + pg_temp.sample_pick(id, 12, 998)) / 1000.0)::float8
            WHEN 'past_due' THEN moment - interval '1 hour' * (5 + pg_temp.sample_pick(id, 12, 480))
            WHEN 'suspended' THEN suspended_at - interval '21 days'
            ELSE moment - interval '1 hour' * (500 + pg_temp.sample_pick(id, 12, 700)) END,
       created_at
FROM judged, clock
ORDER BY id;

-- Activity, in the order in which it happened: logins of two weeks, refused logins, unpaid bills and what came of them.
INSERT INTO activity (company_id, user_id, action, detail, created_at)
WITH clock AS MATERIALIZED (
    SELECT coalesce(nullif(current_setting('sample.now', true), ''), '2026-11-02 12:00:00+00')::timestamptz AS moment
)
SELECT company_id, user_id, action, detail, created_at
FROM (
    SELECT company_id, id AS user_id, 'login' AS action, NULL AS detail, last_login_at AS created_at
    FROM users, clock WHERE last_login_at > moment - interval '14 days'
    UNION ALL
    SELECT u.company_id, u.id, 'login_failed',
           CASE WHEN NOT u.is_active THEN 'user is inactive' ELSE 'e-mail address is not verified' END,
           moment - interval '1 second' * (30 + pg_temp.sample_pick(u.id, 13, 3 * 86400))
    FROM users u JOIN companies c ON c.id = u.company_id, clock
    WHERE c.status IN ('active', 'trial') AND NOT (u.is_active AND u.email_verified)
    UNION ALL
    SELECT company_id, NULL, 'payment_failed', 'subscription ' || id, current_period_end + interval '1 hour'
    FROM subscriptions WHERE status IN ('past_due', 'suspended')
    UNION ALL
    SELECT id, NULL, 'company_suspended', 'unpaid for 21 days', suspended_at
    FROM companies WHERE status = 'suspended'
    UNION ALL
    SELECT company_id, NULL, 'company_cancelled', 'not renewed', current_period_end
    FROM subscriptions WHERE status = 'cancelled'
) AS events
ORDER BY created_at, company_id, user_id, action;

CREATE INDEX users_company_id_idx ON users (company_id);
CREATE INDEX activity_company_id_idx ON activity (company_id);
CREATE INDEX activity_user_id_idx ON activity (user_id);
CREATE INDEX activity_created_at_idx ON activity (created_at);
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE users ADD CONSTRAINT users_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id);
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id);
ALTER TABLE activity ADD CONSTRAINT activity_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies (id),
                     ADD CONSTRAINT activity_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);

SELECT setval(pg_get_serial_sequence('companies', 'id'), (SELECT max(id) FROM companies)),
       setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users)),
       setval(pg_get_serial_sequence('subscriptions', 'id'), (SELECT max(id) FROM subscriptions));

DROP FUNCTION pg_temp.sample_pick(bigint, bigint, bigint);

RESET jit;
RESET TimeZone;

ANALYZE companies, users, subscriptions, activity;
