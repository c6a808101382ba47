-- A login that owns nothing and may only read: for what has to be refused.
DO $$
BEGIN
    CREATE ROLE platform_guest LOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO platform_guest;
