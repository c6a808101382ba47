-- A back office in sync: every migration applied, all system data in place. Its dates are fixed.

INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
SELECT '00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), encode(sha256(convert_to(name, 'UTF8')), 'hex'),
       moment + interval '2 seconds', name, moment, 1
FROM (VALUES
    (1, '20250601090000_init', timestamptz '2025-06-01 09:10Z'),
    (2, '20250715100000_create_developer_projects', '2025-07-15 10:20Z'),
    (3, '20250901080000_add_temporary_passwords', '2025-09-01 08:15Z'),
    (4, '20250920080000_add_license_number', '2025-09-20 08:30Z'),
    (5, '20251010120000_create_team_management_system', '2025-10-10 12:40Z'),
    (6, '20251020120000_create_invoice_attachments', '2025-10-20 12:05Z'),
    (7, '20251101093000_create_approval_system', '2025-11-01 09:45Z'),
    (8, '20251112150000_create_notification_system', '2025-11-12 15:10Z'),
    (9, '20251120110000_add_team_invitation_template', '2025-11-20 11:05Z')
) AS applied (n, name, moment);

INSERT INTO team_roles (id, name, description, is_system_role, can_create_invoices, can_manage_projects, can_view_reports, created_at) VALUES
    ('role-owner', 'Owner', 'Everything, and who else may', true, true, true, true, '2025-10-10 12:40Z'),
    ('role-finance-manager', 'Finance Manager', 'Invoices, payments and reports', true, true, false, true, '2025-10-10 12:40Z'),
    ('role-project-manager', 'Project Manager', 'Projects, budgets and their reports', true, false, true, true, '2025-10-10 12:40Z'),
    ('role-accountant', 'Accountant', 'Writes invoices and reads reports', true, true, false, true, '2025-10-10 12:40Z'),
    ('role-viewer', 'Viewer', 'Reads', true, false, false, true, '2025-10-10 12:40Z');

INSERT INTO notification_templates (id, type, subject, body, created_at) VALUES
    ('template-invoice-approved', 'invoice_approved', 'Invoice {invoice} is approved', 'Your invoice {invoice} was approved by {actor}.', '2025-11-12 15:10Z'),
    ('template-invoice-rejected', 'invoice_rejected', 'Invoice {invoice} is rejected', 'Your invoice {invoice} was rejected by {actor}: {reason}', '2025-11-12 15:10Z'),
    ('template-invoice-pending-approval', 'invoice_pending_approval', 'Invoice {invoice} waits for you', 'Please approve or reject the invoice {invoice}.', '2025-11-12 15:10Z'),
    ('template-team-invitation', 'team_invitation', 'You are invited to {team}', '{actor} invites you to join {team} as {role}.', '2025-11-20 11:05Z'),
    ('template-payment-received', 'payment_received', 'Payment for invoice {invoice}', 'We have received {amount} for the invoice {invoice}.', '2025-11-12 15:10Z');

INSERT INTO admins (id, email, full_name, created_at) VALUES
    (1, 'root@backoffice.example', 'Rosa Oyelaran', '2025-06-01 09:30Z'),
    (2, 'ops@backoffice.example', 'Siobhán O''Neill', '2025-06-02 09:30Z');

INSERT INTO plans (id, name, price_cents, storage_limit) VALUES
    (1, 'Starter', 1900, 1073741824), (2, 'Business', 7900, 5368709120), (3, 'Enterprise', 29900, 107374182400);

INSERT INTO users (id, email, full_name, password_hash, is_active, is_temp_password, temp_password_expires_at, must_change_password, created_at, updated_at)
SELECT n, 'user' || n || '@example.com',
       (ARRAY['Ana Lima', 'Bjørn Dahl', 'Chidi Eze', 'D''Arcy Quinn', 'Zoë Müller'])[1 + n % 5] || ' ' || n,
       '$2b$12$' || repeat('x', 53), n % 17 <> 0, n % 20 = 0,
       CASE WHEN n % 20 = 0 THEN timestamptz '2025-12-01 00:00Z' END, n % 20 = 0,
       timestamptz '2025-06-01 10:00Z' + n * interval '1 day', timestamptz '2025-06-01 10:00Z' + n * interval '1 day'
FROM generate_series(1, 120) AS n;

INSERT INTO customers (id, name, email, "licenseNumber", created_at, updated_at)
SELECT n, (ARRAY['Harbour Works', 'Müller & Söhne', 'O''Hara Build', 'Ñandú Obras'])[1 + n % 4] || ' ' || n,
       'office' || n || '@customer.example', CASE WHEN n % 3 > 0 THEN 'LIC-' || lpad(n::text, 5, '0') END,
       timestamptz '2025-06-03 08:00Z' + n * interval '2 days', timestamptz '2025-06-03 08:00Z' + n * interval '2 days'
FROM generate_series(1, 40) AS n;

INSERT INTO customer_users (id, customer_id, user_id)
SELECT n, 1 + n % 40, n FROM generate_series(1, 120) AS n;

INSERT INTO onboarding_applications (id, company_name, email, plan_id, status, created_at)
SELECT n, 'Applicant ' || n, 'apply' || n || '@example.com', 1 + n % 3, CASE WHEN n % 4 = 0 THEN 'pending' ELSE 'accepted' END,
       timestamptz '2025-07-01 09:00Z' + n * interval '3 days'
FROM generate_series(1, 30) AS n;

INSERT INTO subscriptions (id, customer_id, plan_id, status, started_at)
SELECT n, n, 1 + n % 3, CASE WHEN n % 13 = 0 THEN 'cancelled' ELSE 'active' END, timestamptz '2025-06-04 00:00Z' + n * interval '2 days'
FROM generate_series(1, 40) AS n;

INSERT INTO invoices (id, customer_id, number, amount_cents, status, issued_on, created_at, updated_at)
SELECT n, 1 + n % 40, 'INV-' || lpad(n::text, 5, '0'), 1900 + n * 37 % 90000,
       (ARRAY['draft', 'pending_approval', 'approved', 'paid', 'paid'])[1 + n % 5],
       date '2025-06-10' + n % 180, timestamptz '2025-06-10 12:00Z' + n % 180 * interval '1 day', timestamptz '2025-06-10 12:00Z' + n % 180 * interval '1 day'
FROM generate_series(1, 400) AS n;

INSERT INTO payments (id, invoice_id, amount_cents, paid_at)
SELECT i.id, i.id, i.amount_cents, i.created_at + interval '9 days' FROM invoices i WHERE i.status = 'paid' ORDER BY i.id;

INSERT INTO activity_logs (id, user_id, action, detail, created_at)
SELECT n, CASE WHEN n % 11 > 0 THEN 1 + n % 120 END, (ARRAY['login', 'invoice.create', 'project.update'])[1 + n % 3],
       jsonb_build_object('n', n), timestamptz '2025-09-01 06:00Z' + n * interval '1 hour'
FROM generate_series(1, 300) AS n;

INSERT INTO vendors (id, name) SELECT n, 'Vendor ' || n FROM generate_series(1, 15) AS n;

INSERT INTO developer_projects (id, customer_id, name, status, created_at, updated_at)
SELECT n, 1 + n % 40, 'Project ' || n, (ARRAY['planned', 'running', 'done'])[1 + n % 3],
       timestamptz '2025-07-20 08:00Z' + n * interval '1 day', timestamptz '2025-07-20 08:00Z' + n * interval '1 day'
FROM generate_series(1, 50) AS n;

INSERT INTO project_budgets (id, project_id, total_cents) SELECT n, n, n * 100000 FROM generate_series(1, 50) AS n;
INSERT INTO budget_line_items (id, budget_id, label, amount_cents)
SELECT n, 1 + n % 50, (ARRAY['Labour', 'Material', 'Permits'])[1 + n % 3], n * 1000 FROM generate_series(1, 150) AS n;
INSERT INTO project_expenses (id, project_id, vendor_id, amount_cents, spent_on)
SELECT n, 1 + n % 50, CASE WHEN n % 7 > 0 THEN 1 + n % 15 END, n * 450, date '2025-08-01' + n FROM generate_series(1, 100) AS n;
INSERT INTO project_invoices (id, project_id, invoice_id) SELECT n, n, n * 8 FROM generate_series(1, 50) AS n;
INSERT INTO purchase_orders (id, project_id, vendor_id, amount_cents, ordered_on)
SELECT n, 1 + n % 50, 1 + n % 15, n * 900, date '2025-08-05' + n FROM generate_series(1, 60) AS n;
INSERT INTO project_milestones (id, project_id, title, due_on)
SELECT n, 1 + n % 50, 'Milestone ' || n, CASE WHEN n % 9 > 0 THEN date '2026-01-01' + n END FROM generate_series(1, 100) AS n;
INSERT INTO project_forecasts (id, project_id, month, expected_cents)
SELECT n, 1 + n % 50, date '2025-12-01', n * 12000 FROM generate_series(1, 50) AS n;

INSERT INTO team_members (id, customer_id, user_id, role_id, updated_at)
SELECT n, 1 + n % 40, n, (ARRAY['role-owner', 'role-finance-manager', 'role-project-manager', 'role-accountant', 'role-viewer'])[1 + n % 5],
       timestamptz '2025-10-11 08:00Z'
FROM generate_series(1, 60) AS n;

INSERT INTO invoice_attachments (id, invoice_id, customer_id, file_name, file_size, uploaded_at)
SELECT n, n, 1 + n % 40, 'scan-' || n || '.pdf', 20000 + n * 111, timestamptz '2025-10-21 09:00Z' + n * interval '1 hour'
FROM generate_series(1, 80) AS n;

INSERT INTO invoice_approval_workflows (id, customer_id, name, from_cents)
SELECT n, n, 'Two pairs of eyes', 50000 FROM generate_series(1, 20) AS n;
INSERT INTO invoice_approvals (id, invoice_id, workflow_id, status)
SELECT n, n * 5 + 1, 1 + n % 20, CASE WHEN n % 3 = 0 THEN 'approved' ELSE 'pending' END FROM generate_series(1, 40) AS n;
INSERT INTO approval_history (id, approval_id, user_id, action, created_at)
SELECT n, n * 3, n, 'approved', timestamptz '2025-11-02 10:00Z' + n * interval '1 hour' FROM generate_series(1, 13) AS n;

INSERT INTO notifications (id, user_id, type, read_at, created_at)
SELECT n, 1 + n % 120, 'invoice_approved', CASE WHEN n % 2 = 0 THEN timestamptz '2025-11-14 08:00Z' END, timestamptz '2025-11-13 08:00Z'
FROM generate_series(1, 60) AS n;
INSERT INTO email_queue (id, recipient, template_type, status, send_after, sent_at)
SELECT n, 'user' || n || '@example.com', 'invoice_approved', CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'sent' END,
       timestamptz '2025-11-13 08:00Z', CASE WHEN n % 10 > 0 THEN timestamptz '2025-11-13 08:01Z' END
FROM generate_series(1, 60) AS n;
INSERT INTO notification_logs (id, notification_id, channel, outcome, created_at)
SELECT n, n, 'email', CASE WHEN n % 10 = 0 THEN 'bounced' ELSE 'delivered' END, timestamptz '2025-11-13 08:02Z' FROM generate_series(1, 60) AS n;

-- What comes next gets the number after the last.
SELECT setval(pg_get_serial_sequence(format('%I', t.table_name), 'id'), 100000)
FROM information_schema.columns t
WHERE t.table_schema = 'public' AND t.column_name = 'id' AND t.is_identity = 'YES';
