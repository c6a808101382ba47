-- Three farms at work and one that has only begun. The same rows on every day.

INSERT INTO deployment (environment) VALUES ('development');

INSERT INTO users (id, email, name, role, roles, password_hash, is_active, last_login_at, created_at)
SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid,
       CASE n WHEN 1 THEN 'admin@farms.example' WHEN 2 THEN 'siobhan.obrien@farms.example' WHEN 3 THEN 'renée@farms.example'
           ELSE 'user' || n || '@farms.example' END,
       CASE n WHEN 1 THEN 'Ada Admin' WHEN 2 THEN 'Siobhán O''Brien' WHEN 3 THEN 'Renée "Ren" Dubois' ELSE 'User ' || n END,
       (ARRAY['ADMIN', 'MANAGER', 'TEAM_LEAD', 'SPECIALIST_LEAD', 'TEAM_MEMBER', 'SPECIALIST'])[CASE WHEN n <= 3 THEN n ELSE 2 + n % 5 END]::user_role,
       CASE WHEN n % 4 = 0 THEN ARRAY['TEAM_MEMBER', 'SPECIALIST']
           ELSE ARRAY[(ARRAY['ADMIN', 'MANAGER', 'TEAM_LEAD', 'SPECIALIST_LEAD', 'TEAM_MEMBER', 'SPECIALIST'])[CASE WHEN n <= 3 THEN n ELSE 2 + n % 5 END]] END,
       '$2b$12$' || substr(translate(encode(sha256(n::text::bytea), 'base64'), '+=', './') || md5(n::text), 1, 53),
       n % 13 <> 0,
       CASE WHEN n % 7 <> 0 THEN timestamptz '2026-11-01 08:00:00+00' - n * interval '7 hours' END,
       timestamptz '2025-01-06 09:00:00+00' + n * interval '3 days'
FROM generate_series(1, 40) AS n;

INSERT INTO farms (id, farm_name, business_name, subdomain, owner_id, subscription_plan, subscription_status, trial_ends_at, settings, created_at)
VALUES
    ('00000000-0000-4000-8000-000000000001', 'Green Valley', 'Green Valley Microgreens Ltd', 'green-valley',
     '00000000-0000-4000-9000-000000000001', 'professional', 'active', NULL, '{"units": "metric"}', '2025-01-10 09:00:00+00'),
    ('00000000-0000-4000-8000-000000000002', 'O''Brien & Daughters "Greens"', NULL, 'obrien',
     '00000000-0000-4000-9000-000000000002', 'starter', 'active', NULL, NULL, '2025-03-02 09:00:00+00'),
    ('00000000-0000-4000-8000-000000000003', 'Les Pousses d''Été', 'Dubois SARL', 'pousses',
     '00000000-0000-4000-9000-000000000003', 'starter', 'cancelled', NULL, '{}', '2025-06-21 09:00:00+00'),
    ('00000000-0000-4000-8000-000000000004', 'Rooftop Trial', NULL, NULL,
     '00000000-0000-4000-9000-000000000004', 'trial', 'trialing', '2026-12-31 00:00:00+00', NULL, '2026-11-01 09:00:00+00');

INSERT INTO farm_users (farm_id, user_id, role, permissions, is_active, joined_at)
SELECT ('00000000-0000-4000-8000-' || lpad(f::text, 12, '0'))::uuid, ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid,
       CASE WHEN n = f THEN 'OWNER' WHEN n % 10 = 5 THEN 'FARM_MANAGER' WHEN n % 5 = 2 THEN 'TEAM_LEAD' ELSE 'TEAM_MEMBER' END,
       CASE WHEN n = f THEN '{"billing": true}'::jsonb END, n % 9 <> 0 OR n = f, timestamptz '2025-07-01 09:00:00+00' + n * interval '1 day'
FROM generate_series(1, 4) AS f, generate_series(1, 40) AS n
WHERE n = f OR (n > 4 AND n % 3 + 1 = f) OR (n > 4 AND n % 10 = 0 AND f = 1 AND n % 3 <> 0);

INSERT INTO seed_varieties (id, farm_id, name, days_to_harvest)
SELECT (f - 1) * 6 + n, ('00000000-0000-4000-8000-' || lpad(f::text, 12, '0'))::uuid,
       (ARRAY['Basil "Genovese"', 'Pea Shoots', 'Radish ''China Rose''', 'Sunflower', 'Broccoli', 'Red Cabbage'])[n], 6 + n * 2
FROM generate_series(1, 3) AS f, generate_series(1, 6) AS n;

INSERT INTO growing_environments (id, farm_id, name, temperature_c)
SELECT (f - 1) * 3 + n, ('00000000-0000-4000-8000-' || lpad(f::text, 12, '0'))::uuid, (ARRAY['Greenhouse', 'Rack room', 'Blackout'])[n], 18 + n * 1.5
FROM generate_series(1, 3) AS f, generate_series(1, 3) AS n;

INSERT INTO equipment (id, farm_id, environment_id, name, status)
SELECT (f - 1) * 4 + n, ('00000000-0000-4000-8000-' || lpad(f::text, 12, '0'))::uuid, CASE WHEN n < 4 THEN (f - 1) * 3 + n END,
       (ARRAY['Pump', 'LED bar', 'Fan', 'Scale'])[n], CASE WHEN n = 3 AND f = 2 THEN 'broken' ELSE 'working' END
FROM generate_series(1, 3) AS f, generate_series(1, 4) AS n;

INSERT INTO batches (id, farm_id, code, variety_id, environment_id, trays, status, sown_on, harvested_on)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid, 'B-' || lpad(n::text, 4, '0'),
       (n % 3) * 6 + n % 6 + 1, (n % 3) * 3 + n % 2 + 1, 2 + n % 11,
       CASE WHEN n > 255 THEN 'growing' WHEN n % 17 = 0 THEN 'discarded' ELSE 'harvested' END,
       date '2026-01-05' + n, CASE WHEN n <= 255 AND n % 17 <> 0 THEN date '2026-01-05' + n + 10 END
FROM generate_series(1, 300) AS n;

INSERT INTO customers (id, farm_id, name, email)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid,
       CASE n WHEN 3 THEN 'Café "Zoë"' WHEN 6 THEN 'D''Angelo''s' ELSE 'Restaurant ' || n END,
       CASE WHEN n % 8 <> 0 THEN 'kitchen' || n || '@customers.example' END
FROM generate_series(1, 60) AS n;

INSERT INTO orders (id, farm_id, customer_id, status, ordered_on)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid, (n - 1) % 60 + 1,
       CASE WHEN n % 12 = 0 THEN 'cancelled' WHEN n > 220 THEN 'open' ELSE 'delivered' END, date '2026-01-20' + n
FROM generate_series(1, 240) AS n;

INSERT INTO order_items (id, farm_id, order_id, batch_id, quantity, price_cents)
SELECT (o - 1) * 2 + n, ('00000000-0000-4000-8000-' || lpad((o % 3 + 1)::text, 12, '0'))::uuid, o, o + CASE n WHEN 1 THEN 0 ELSE 3 END,
       1 + (o + n) % 5, 350 + 25 * (o % 8)
FROM generate_series(1, 240) AS o, generate_series(1, 2) AS n;

UPDATE orders SET total_cents = (SELECT sum(i.quantity * i.price_cents) FROM order_items i WHERE i.order_id = orders.id);

INSERT INTO inventory_items (id, farm_id, name, quantity, unit)
SELECT (f - 1) * 5 + n, ('00000000-0000-4000-8000-' || lpad(f::text, 12, '0'))::uuid,
       (ARRAY['Trays', 'Coco mats', 'Seed: basil', 'Clamshells', 'Labels'])[n], n * 40 + f, CASE n WHEN 3 THEN 'g' ELSE 'pieces' END
FROM generate_series(1, 3) AS f, generate_series(1, 5) AS n;

INSERT INTO financial_records (id, farm_id, kind, amount_cents, booked_on, note)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid, CASE WHEN n % 4 = 0 THEN 'expense' ELSE 'income' END,
       1000 + n * 37, date '2026-01-20' + n, CASE WHEN n % 10 = 0 THEN 'seeds, paid "cash"' END
FROM generate_series(1, 150) AS n;

INSERT INTO quality_checks (id, farm_id, batch_id, grade, checked_on)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid, n, (ARRAY['A', 'A', 'B', 'C'])[n % 4 + 1], date '2026-01-12' + n
FROM generate_series(1, 200) AS n;

INSERT INTO tasks (id, farm_id, title, assigned_to, due_on, done)
SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid, (ARRAY['Water', 'Harvest', 'Sow', 'Clean'])[n % 4 + 1] || ' ' || n,
       CASE WHEN n % 5 <> 0 THEN ('00000000-0000-4000-9000-' || lpad((5 + n % 30)::text, 12, '0'))::uuid END, date '2026-10-01' + n, n <= 40
FROM generate_series(1, 60) AS n;

DO $$
DECLARE
    business text;
BEGIN
    FOREACH business IN ARRAY ARRAY['seed_varieties', 'growing_environments', 'equipment', 'batches', 'customers', 'orders',
        'order_items', 'inventory_items', 'financial_records', 'quality_checks', 'tasks']
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), (SELECT max(id) FROM %I))', business, business);
    END LOOP;
END
$$;
