-- Fills the tables of schema.sql, the same way every time.
--
-- Fixed rows, for trying things out:
--   user 1 (…0001)             Ada Larsen, admin; user 2 is staff; users 1 to 12 have customers
--   customer 1                 O'Neill & "Sons" Heating, with quotes in its name
--   customer 7                 without an e-mail address
--   jobs 9001, 9002, 9003      of the customers 8001 and 8002, who are gone: orphans
--   migrations                 three that were applied

INSERT INTO app_settings VALUES ('environment', 'staging'), ('schema_owner', 'operations');

INSERT INTO schema_migrations (version, name, status, applied_at) VALUES
    ('20240901000000', 'create_core_tables', 'applied', '2024-09-01 08:00:00+00'),
    ('20240903000000', 'add_row_level_security', 'applied', '2024-09-03 08:00:00+00'),
    ('20240905000000', 'add_user_subscriptions', 'applied', '2024-09-05 08:00:00+00');

INSERT INTO user_roles (id, user_id, role, created_at) VALUES
    (1, '00000000-0000-4000-8000-000000000001', 'admin', '2024-09-01 09:00:00+00'),
    (2, '00000000-0000-4000-8000-000000000002', 'staff', '2024-09-01 09:00:00+00'),
    (3, '00000000-0000-4000-8000-000000000003', 'staff', '2025-02-01 09:00:00+00');

INSERT INTO customers (id, user_id, name, email, phone, address, created_at, updated_at)
SELECT n, ('00000000-0000-4000-8000-' || lpad((1 + n % 12)::text, 12, '0'))::uuid,
       CASE n WHEN 1 THEN 'O''Neill & "Sons" Heating'
              WHEN 2 THEN 'Müller Sanitär GmbH'
              ELSE (ARRAY['Baker', 'Chandler', 'Fisher', 'Mason', 'Potter', 'Sawyer', 'Tyler'])[1 + n % 7] || ' '
                || (ARRAY['Gardens', 'Kitchens', 'Roofing', 'Estates', 'Interiors'])[1 + n % 5] || ' ' || n END,
       CASE WHEN n <> 7 THEN 'office' || n || '@customer.example' END,
       '+1 555 01' || lpad((n % 100)::text, 2, '0'),
       n || ' High Street',
       timestamptz '2024-09-02 08:00:00+00' + n * interval '3 days',
       timestamptz '2024-09-02 08:00:00+00' + n * interval '3 days'
FROM generate_series(1, 200) AS n;

INSERT INTO jobs (id, user_id, customer_id, title, status, scheduled_date, price, created_at, updated_at)
SELECT n, c.user_id, c.id,
       (ARRAY['Boiler service', 'Leak repair', 'New bathroom', 'Inspection'])[1 + n % 4],
       (ARRAY['done', 'done', 'pending', 'scheduled', 'cancelled'])[1 + n % 5],
       date '2024-09-10' + n, 80 + n % 90,
       timestamptz '2024-09-05 10:00:00+00' + n * interval '1 day',
       timestamptz '2024-09-05 10:00:00+00' + n * interval '1 day'
FROM generate_series(1, 600) AS n
JOIN customers c ON c.id = 1 + n % 200;

INSERT INTO jobs (id, user_id, customer_id, title, status, scheduled_date, price, created_at, updated_at) VALUES
    (9001, '00000000-0000-4000-8000-000000000004', 8001, 'Boiler service', 'done', '2025-01-10', 120, '2025-01-02 10:00:00+00', '2025-01-10 10:00:00+00'),
    (9002, '00000000-0000-4000-8000-000000000004', 8001, 'Leak repair', 'pending', NULL, 60, '2025-01-05 10:00:00+00', '2025-01-05 10:00:00+00'),
    (9003, '00000000-0000-4000-8000-000000000005', 8002, 'Inspection', 'cancelled', '2025-02-01', 0, '2025-01-20 10:00:00+00', '2025-01-25 10:00:00+00');

INSERT INTO quotes (id, user_id, customer_id, amount, status, valid_until, created_at, updated_at)
SELECT n, c.user_id, c.id, 150 + n,
       (ARRAY['accepted', 'sent', 'declined', 'draft'])[1 + n % 4], date '2024-11-01' + n * 2,
       timestamptz '2024-10-01 09:00:00+00' + n * interval '2 days',
       timestamptz '2024-10-01 09:00:00+00' + n * interval '2 days'
FROM generate_series(1, 300) AS n
JOIN customers c ON c.id = 1 + n % 200;

INSERT INTO invoices (id, user_id, customer_id, quote_id, number, amount, status, due_date, paid_at, created_at, updated_at)
SELECT n, q.user_id, q.customer_id, q.id, 'INV-' || lpad(n::text, 5, '0'), q.amount,
       CASE WHEN n % 5 = 0 THEN 'open' ELSE 'paid' END, date '2024-12-01' + n * 2,
       CASE WHEN n % 5 <> 0 THEN timestamptz '2024-11-25 12:00:00+00' + n * interval '2 days' END,
       timestamptz '2024-11-01 09:00:00+00' + n * interval '2 days',
       timestamptz '2024-11-01 09:00:00+00' + n * interval '2 days'
FROM generate_series(1, 75) AS n
JOIN quotes q ON q.id = n * 4;

INSERT INTO subscription_plans (id, name, monthly_price, is_active, created_at, updated_at) VALUES
    ('free', 'Free', 0, true, '2024-09-01 09:00:00+00', '2024-09-01 09:00:00+00'),
    ('pro', 'Professional', 29, true, '2024-09-01 09:00:00+00', '2024-09-01 09:00:00+00'),
    ('team', 'Team', 79, true, '2024-09-01 09:00:00+00', '2024-09-01 09:00:00+00'),
    ('legacy', 'Early bird', 9, false, '2024-09-01 09:00:00+00', '2025-03-01 09:00:00+00');

INSERT INTO user_subscriptions (id, user_id, plan_id, status, current_period_end, created_at, updated_at)
SELECT n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
       (ARRAY['pro', 'team', 'free', 'legacy'])[1 + n % 4],
       CASE WHEN n % 6 = 0 THEN 'past_due' ELSE 'active' END,
       timestamptz '2026-12-01 00:00:00+00' + n * interval '1 day',
       timestamptz '2024-09-02 09:00:00+00' + n * interval '1 day',
       timestamptz '2024-09-02 09:00:00+00' + n * interval '1 day'
FROM generate_series(1, 12) AS n;

INSERT INTO access_log (id, user_id, action, address, created_at)
SELECT n, CASE WHEN n % 10 <> 0 THEN ('00000000-0000-4000-8000-' || lpad((1 + n % 12)::text, 12, '0'))::uuid END,
       CASE WHEN n % 10 = 0 THEN 'login_failed' WHEN n % 25 = 1 THEN 'export' ELSE 'login' END,
       ('198.51.100.' || n % 40)::inet,
       timestamptz '2026-10-01 06:00:00+00' + n * interval '3 hours'
FROM generate_series(1, 240) AS n;

-- Identities go on after the rows above.
SELECT setval(pg_get_serial_sequence('user_roles', 'id'), 3), setval(pg_get_serial_sequence('customers', 'id'), 200),
       setval(pg_get_serial_sequence('jobs', 'id'), 9003), setval(pg_get_serial_sequence('quotes', 'id'), 300),
       setval(pg_get_serial_sequence('invoices', 'id'), 75), setval(pg_get_serial_sequence('user_subscriptions', 'id'), 12),
       setval(pg_get_serial_sequence('access_log', 'id'), 240);

ANALYZE;
