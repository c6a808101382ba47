INSERT INTO customers (email, full_name, created_at)
SELECT 'customer' || n || '@shop.example',
       (ARRAY['Ada Lovelace', 'Miles O''Brien', 'Zoë Müller', 'Grace Hopper', 'Nguyễn Thị Hoa'])[1 + n % 5],
       timestamptz '2025-01-01 08:00:00+00' + n * interval '3 hours'
FROM generate_series(1, 500) n;

INSERT INTO orders (customer_id, status, placed_at, total)
SELECT 1 + n % 500, (ARRAY['paid', 'shipped', 'open', 'shipped', 'cancelled'])[1 + n % 5],
       timestamptz '2025-03-01 10:00:00+00' + n * interval '1 hour', 10 + n % 90 + 0.99
FROM generate_series(1, 2000) n;

INSERT INTO order_items (order_id, product, quantity)
SELECT 1 + n % 2000, (ARRAY['Kettle', 'Cup', 'Tea "Earl Grey"', 'Spoon'])[1 + n % 4], 1 + n % 3
FROM generate_series(1, 4000) n;

INSERT INTO "Price List" VALUES ('Kettle', 49.90), ('Cup', 7.50), ('Tea "Earl Grey"', 4.20), ('Spoon', 2.10);

ANALYZE;
