//! How the schema is made: one version after the other, so that a journal of any version is brought up to the
//! latest. The statements of a version are never altered again.

/// The version of the schema that this program writes.
pub(super) const VERSION: u32 = 2;

/// What the schema's comment begins with; the version follows.
pub(super) const COMMENT: &str = "The journal of runbook, version ";

/// The code of the server's word where a guard refuses.
pub(in crate::pg::session) const REFUSED: &str = "RB001";

/// Only one session makes it at a time; the others then find it made.
const BEGIN: &str = "\
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('runbook journal', 0::bigint)); ";

/// What each run changed, and the row images by which it is put back.
const ONE: &str = r"
    CREATE SCHEMA runbook;
    COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 1';
    CREATE TABLE runbook.entry (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL,
      step integer NOT NULL, item integer NOT NULL DEFAULT -1, part integer NOT NULL DEFAULT 0,
      undo boolean NOT NULL DEFAULT false,
      name text NOT NULL,
      by_run text NOT NULL,
      runbook text NOT NULL, hash text NOT NULL, actor text NOT NULL,
      login text NOT NULL DEFAULT session_user,
      at timestamptz NOT NULL DEFAULT clock_timestamp(),
      xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
      rows bigint, head text, wal pg_lsn,
      UNIQUE (run, step, item, part, undo));
    CREATE TABLE runbook.capture (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      entry bigint NOT NULL REFERENCES runbook.entry,
      step integer NOT NULL,
      relation text NOT NULL,
      alone boolean NOT NULL,
      columns text NOT NULL,
      key text[] NOT NULL,
      changed text[] NOT NULL,
      kept text[] NOT NULL,
      ignored text[] NOT NULL,
      tables text[],
      direct boolean NOT NULL,
      rows bigint NOT NULL);
    CREATE INDEX ON runbook.capture (entry);
    CREATE TABLE runbook.image (
      capture bigint NOT NULL,
      key text NOT NULL,
      before text, after text);
    CREATE INDEX ON runbook.image (capture);
    CREATE TABLE runbook.lease (
      key text PRIMARY KEY, run text NOT NULL, runbook text NOT NULL, actor text NOT NULL,
      taken_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL);
    REVOKE ALL ON SCHEMA runbook FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA runbook FROM PUBLIC;";

/// What other people are asked and say, and the guards of what was recorded. The guards fire always, and trust
/// nothing that a session can set: names are looked up in `pg_catalog` first and in a session's own schema last.
/// They hold for the rights of who runs runbooks; the owner of the schema stands above them.
///
/// [`REFUSED`] is the code of what they refuse.
const TWO: &str = r"
    CREATE TABLE runbook.request (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      content text NOT NULL,
      run text NOT NULL, step integer NOT NULL,
      digest text NOT NULL,
      approvals integer NOT NULL CHECK (approvals > 0),
      roles text[] NOT NULL,
      login text NOT NULL,
      at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
      UNIQUE (run, digest));
    CREATE TABLE runbook.verdict (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      request bigint NOT NULL REFERENCES runbook.request,
      word text NOT NULL CHECK (word IN ('approve', 'decline', 'withdraw', 'use')),
      digest text NOT NULL,
      login text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL,
      reason text,
      UNIQUE (request, login));
    CREATE TABLE runbook.glass (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL, runbook text NOT NULL, hash text NOT NULL,
      login text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL,
      reason text NOT NULL CHECK (reason <> ''), lifted text[] NOT NULL);
    REVOKE ALL ON runbook.request, runbook.verdict, runbook.glass FROM PUBLIC;

    CREATE FUNCTION runbook.guard_entry() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        NEW.login := session_user;
        NEW.at := pg_catalog.clock_timestamp();
        NEW.xid := pg_catalog.pg_current_xact_id();
        RETURN NEW;
      END IF;
      IF OLD.xid <> pg_catalog.pg_current_xact_id() THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'an entry of the journal is filled in only by the transaction that wrote it';
      END IF;
      IF (OLD.id, OLD.run, OLD.step, OLD.item, OLD.part, OLD.undo, OLD.name, OLD.by_run, OLD.runbook, OLD.hash, OLD.actor, OLD.login, OLD.at, OLD.xid)
         IS DISTINCT FROM
         (NEW.id, NEW.run, NEW.step, NEW.item, NEW.part, NEW.undo, NEW.name, NEW.by_run, NEW.runbook, NEW.hash, NEW.actor, NEW.login, NEW.at, NEW.xid) THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'of an entry of the journal only its rows, head and wal are filled in';
      END IF;
      RETURN NEW;
    END $guard$;
    CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON runbook.entry FOR EACH ROW EXECUTE FUNCTION runbook.guard_entry();
    ALTER TABLE runbook.entry ENABLE ALWAYS TRIGGER guard;

    CREATE FUNCTION runbook.guard_capture() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    BEGIN
      IF NOT EXISTS (SELECT FROM runbook.entry AS e WHERE e.id = NEW.entry AND e.xid = pg_catalog.pg_current_xact_id()) THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'a capture of the journal is written and filled in only by the transaction that wrote its entry';
      END IF;
      IF TG_OP = 'UPDATE' AND
         (OLD.id, OLD.entry, OLD.step, OLD.relation, OLD.alone, OLD.columns, OLD.key, OLD.ignored, OLD.tables, OLD.direct)
         IS DISTINCT FROM
         (NEW.id, NEW.entry, NEW.step, NEW.relation, NEW.alone, NEW.columns, NEW.key, NEW.ignored, NEW.tables, NEW.direct) THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'of a capture of the journal only changed, kept and rows are filled in';
      END IF;
      RETURN NEW;
    END $guard$;
    CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON runbook.capture FOR EACH ROW EXECUTE FUNCTION runbook.guard_capture();
    ALTER TABLE runbook.capture ENABLE ALWAYS TRIGGER guard;

    CREATE FUNCTION runbook.guard_request() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    DECLARE
      asked pg_catalog.json := NEW.content;
      needs pg_catalog.json := asked -> 'needs';
    BEGIN
      NEW.run := asked ->> 'run';
      NEW.step := asked ->> 'step';
      NEW.digest := pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(NEW.content, 'UTF8')), 'hex');
      NEW.approvals := needs ->> 'count';
      NEW.roles := ARRAY(SELECT pg_catalog.json_array_elements_text(needs -> 'by'));
      NEW.login := session_user;
      NEW.at := pg_catalog.clock_timestamp();
      NEW.expires_at := NEW.at + pg_catalog.make_interval(secs => (needs ->> 'expire_seconds')::pg_catalog.int8);
      RETURN NEW;
    END $guard$;
    CREATE TRIGGER guard BEFORE INSERT ON runbook.request FOR EACH ROW EXECUTE FUNCTION runbook.guard_request();
    ALTER TABLE runbook.request ENABLE ALWAYS TRIGGER guard;

    CREATE FUNCTION runbook.guard_verdict() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    DECLARE
      asked runbook.request;
      said runbook.verdict;
      approved pg_catalog.int8;
    BEGIN
      IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'a verdict is written in a transaction that is READ COMMITTED: it must see what others said';
      END IF;
      -- Who approves and who goes on wait for one another, and the later one sees what the other said.
      PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('runbook request ' || NEW.request, 0::pg_catalog.int8));
      SELECT * INTO asked FROM runbook.request AS r WHERE r.id = NEW.request;
      IF NOT FOUND THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = 'there is no such request';
      END IF;
      NEW.login := session_user;
      NEW.at := pg_catalog.clock_timestamp();
      IF NEW.digest IS DISTINCT FROM asked.digest THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('run %s asks for the approval of something else than this', asked.run);
      END IF;
      SELECT * INTO said FROM runbook.verdict AS v WHERE v.request = asked.id AND v.word IN ('use', 'withdraw', 'decline') ORDER BY v.id LIMIT 1;
      IF FOUND THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('the request of run %s is %s already, by %s', asked.run,
          CASE said.word WHEN 'use' THEN 'used' WHEN 'withdraw' THEN 'withdrawn' ELSE 'declined' END, said.login);
      END IF;
      IF NEW.word = 'withdraw' OR NEW.word = 'use' THEN
        IF NEW.login <> asked.login THEN
          RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('only %s, who asked for it, withdraws or uses the approval of run %s', asked.login, asked.run);
        END IF;
        IF NEW.word = 'withdraw' THEN
          RETURN NEW;
        END IF;
      ELSIF NEW.login = asked.login THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('%s asked for the approval of run %s, so somebody else must decide', asked.login, asked.run);
      ELSIF asked.roles <> '{}' AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_roles AS m WHERE m.rolname = ANY (asked.roles) AND pg_catalog.pg_has_role(session_user, m.oid, 'MEMBER')) THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('%s is no member of %s, who decide about run %s', NEW.login, pg_catalog.array_to_string(asked.roles, ', '), asked.run);
      ELSIF EXISTS (SELECT FROM runbook.verdict AS v WHERE v.request = asked.id AND v.login = NEW.login) THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('%s has approved run %s already', NEW.login, asked.run);
      END IF;
      IF NEW.at >= asked.expires_at THEN
        RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('the request of run %s expired at %s', asked.run, pg_catalog.date_trunc('second', asked.expires_at));
      END IF;
      IF NEW.word = 'use' THEN
        SELECT pg_catalog.count(DISTINCT v.login) INTO approved FROM runbook.verdict AS v WHERE v.request = asked.id AND v.word = 'approve';
        IF approved < asked.approvals THEN
          RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('run %s is approved by %s, and needs %s', asked.run, approved, asked.approvals);
        END IF;
      END IF;
      RETURN NEW;
    END $guard$;
    CREATE TRIGGER guard BEFORE INSERT ON runbook.verdict FOR EACH ROW EXECUTE FUNCTION runbook.guard_verdict();
    ALTER TABLE runbook.verdict ENABLE ALWAYS TRIGGER guard;

    CREATE FUNCTION runbook.guard_glass() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    BEGIN
      NEW.login := session_user;
      NEW.at := pg_catalog.clock_timestamp();
      RETURN NEW;
    END $guard$;
    CREATE TRIGGER guard BEFORE INSERT ON runbook.glass FOR EACH ROW EXECUTE FUNCTION runbook.guard_glass();
    ALTER TABLE runbook.glass ENABLE ALWAYS TRIGGER guard;

    CREATE FUNCTION runbook.guard_past() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
    BEGIN
      RAISE SQLSTATE 'RB001' USING MESSAGE = pg_catalog.format('what was said stays as it was: runbook.%s is not altered', TG_TABLE_NAME);
    END $guard$;
    CREATE TRIGGER past BEFORE UPDATE OR DELETE OR TRUNCATE ON runbook.request FOR EACH STATEMENT EXECUTE FUNCTION runbook.guard_past();
    CREATE TRIGGER past BEFORE UPDATE OR DELETE OR TRUNCATE ON runbook.verdict FOR EACH STATEMENT EXECUTE FUNCTION runbook.guard_past();
    CREATE TRIGGER past BEFORE UPDATE OR DELETE OR TRUNCATE ON runbook.glass FOR EACH STATEMENT EXECUTE FUNCTION runbook.guard_past();
    ALTER TABLE runbook.request ENABLE ALWAYS TRIGGER past;
    ALTER TABLE runbook.verdict ENABLE ALWAYS TRIGGER past;
    ALTER TABLE runbook.glass ENABLE ALWAYS TRIGGER past;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA runbook FROM PUBLIC;
    COMMENT ON SCHEMA runbook IS 'The journal of runbook, version 2';";

/// Takes away what roles got by nobody's will but the owner's default privileges, which are meant for the tables of
/// applications: with them a login could delete what it did. `{new}` finds what was just made.
const ONLY_BY_NAME: &str = "\
    FOR what IN SELECT c.oid::pg_catalog.regclass AS name, a.grantee \
        FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a \
        WHERE c.relnamespace = pg_catalog.to_regnamespace('runbook')::oid AND c.relname ~ '{new}' \
          AND a.grantee <> c.relowner GROUP BY 1, 2 LOOP \
      EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', what.name, CASE what.grantee WHEN 0 THEN 'PUBLIC' \
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(what.grantee)) END); END LOOP; \
    FOR what IN SELECT a.grantee FROM pg_catalog.pg_namespace AS n, pg_catalog.aclexplode(n.nspacl) AS a \
        WHERE n.nspname = 'runbook' AND '{new}' = '' AND a.grantee <> n.nspowner AND a.grantee <> 0 GROUP BY 1 LOOP \
      EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA runbook FROM %I', pg_catalog.pg_get_userbyid(what.grantee)); END LOOP;";

/// Returns what makes the schema where it is missing, and brings an older one up to this version. `rights` are what a
/// role gets that could write to the older one; `{role}` stands for it.
pub(super) fn making(rights: &[&str]) -> String {
    let granted: Vec<String> = rights
        .iter()
        .map(|right| {
            let text = format!("GRANT {right} TO {{role}}").replace("{role}", "%1$I");
            format!("EXECUTE pg_catalog.format('{text}', role_name);")
        })
        .collect();
    // An INSERT right on all columns would stand beside that on some.
    let granted = format!(
        "FOR role_name IN SELECT DISTINCT r.rolname FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a, pg_catalog.pg_roles AS r \
           WHERE c.oid = 'runbook.entry'::pg_catalog.regclass AND a.privilege_type = 'INSERT' AND r.oid = a.grantee AND a.grantee <> c.relowner LOOP \
         EXECUTE pg_catalog.format('REVOKE INSERT ON runbook.entry, runbook.capture FROM %1$I', role_name); {} END LOOP;",
        granted.concat()
    );
    let all = ONLY_BY_NAME.replace("{new}", "");
    let new = ONLY_BY_NAME.replace("{new}", "^(request|verdict|glass)");
    format!(
        "{BEGIN} DO $runbook$ DECLARE role_name text; what record; BEGIN \
         IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'runbook') THEN {ONE} {all} END IF; \
         IF pg_catalog.obj_description(pg_catalog.to_regnamespace('runbook')::oid, 'pg_namespace') = '{COMMENT}1' THEN {TWO} {new} {granted} END IF; \
         END $runbook$; COMMIT"
    )
}
