-- What years of hand work leave behind: on top of the data, one of each kind of trouble.

-- Two accounts of one person, apart by case only.
INSERT INTO users (id, email, name, role, roles, last_login_at, created_at)
VALUES ('00000000-0000-4000-9000-000000000101', 'Siobhan.OBrien@farms.example', 'Siobhán O''Brien', 'TEAM_MEMBER',
        ARRAY['TEAM_MEMBER'], NULL, '2026-02-01 09:00:00+00');
INSERT INTO farm_users (farm_id, user_id, role, joined_at)
VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-9000-000000000101', 'TEAM_MEMBER', '2026-02-01 09:00:00+00'),
       ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-9000-000000000101', 'TEAM_MEMBER', '2026-02-01 09:00:00+00');
UPDATE tasks SET assigned_to = '00000000-0000-4000-9000-000000000101' WHERE id IN (5, 10);

-- A role that no longer exists, the same role twice, both, and none at all.
UPDATE users SET roles = ARRAY['TEAM_MEMBER', 'GROWER'] WHERE id = '00000000-0000-4000-9000-000000000020';
UPDATE users SET roles = ARRAY['SPECIALIST', 'SPECIALIST'] WHERE id = '00000000-0000-4000-9000-000000000021';
UPDATE users SET roles = ARRAY['grower', 'TEAM_LEAD', 'TEAM_LEAD'] WHERE id = '00000000-0000-4000-9000-000000000022';
UPDATE users SET roles = ARRAY['GROWER'] WHERE id = '00000000-0000-4000-9000-000000000023';

-- Records of what is gone.
INSERT INTO quality_checks (id, farm_id, batch_id, grade, checked_on)
VALUES (901, '00000000-0000-4000-8000-000000000001', 9001, 'B', '2026-09-01'),
       (902, '00000000-0000-4000-8000-000000000002', 9002, 'C', '2026-09-02');
UPDATE tasks SET assigned_to = '00000000-0000-4000-9000-000000009999' WHERE id IN (7, 8, 9);

-- Totals that are not what the items come to.
UPDATE orders SET total_cents = total_cents + 100 WHERE id IN (11, 23);

-- An item of one farm in an order of another.
UPDATE order_items SET farm_id = '00000000-0000-4000-8000-000000000003' WHERE id = 61;

-- An owner who is no member.
DELETE FROM farm_users WHERE farm_id = '00000000-0000-4000-8000-000000000004';
