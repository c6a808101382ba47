-- The login of an application, which owns nothing.
DO $$
BEGIN
    CREATE ROLE platform_app LOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
