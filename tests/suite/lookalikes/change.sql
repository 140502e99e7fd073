-- What makes a look-alike of the sample desk: values change where a role's masks do not show it.
--
-- It runs on both sides, with `look.side` set to `original` or to `other` and `look.role` to the role; on the original it
-- writes every value back as it was, so that rows lie in the same places and objects have the same numbers on both.
-- Keyed masks tell equal values from others, by design: for the researcher their columns stay as they are.

CREATE FUNCTION pg_temp.other() RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT current_setting('look.side') = 'other' $$;
CREATE FUNCTION pg_temp.for_role(role text) RETURNS boolean LANGUAGE sql STABLE
AS $$ SELECT current_setting('look.side') = 'other' AND current_setting('look.role') = role $$;

-- Another value where the masks are no keyed ones. NULL stays, as it does behind masks.
CREATE FUNCTION pg_temp.unkeyed(value anyelement, instead anyelement) RETURNS anyelement LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN value IS NULL OR pg_temp.for_role('researcher') OR NOT pg_temp.other() THEN value ELSE instead END $$;
CREATE FUNCTION pg_temp.changed(value anyelement, instead anyelement) RETURNS anyelement LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN value IS NOT NULL AND pg_temp.other() THEN instead ELSE value END $$;

-- Letters and digits, each for its counterpart from the other end. `qzx` becomes `jac`, `90417` becomes `09582`.
CREATE FUNCTION pg_temp.letters(value text) RETURNS text LANGUAGE sql STABLE
AS $$
    SELECT translate(value,
        'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
        'zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA9876543210')
$$;

-- A name: the first of each word stays.
CREATE FUNCTION pg_temp.words(value text) RETURNS text LANGUAGE sql STABLE
AS $$
    SELECT coalesce(string_agg(
        CASE WHEN i = 1 OR substr(value, i - 1, 1) ~ '[[:space:][:punct:]]' THEN substr(value, i, 1)
             ELSE pg_temp.letters(substr(value, i, 1)) END, '' ORDER BY i), value)
    FROM generate_series(1, length(value)) AS i
$$;

-- An e-mail address: the first character and the domain stay.
CREATE FUNCTION pg_temp.mail(value text) RETURNS text LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN value ~ '^@' THEN value
        WHEN value ~ '@' THEN left(value, 1) || pg_temp.letters(substring(substr(value, 2) FROM '^(.*)@[^@]*$'))
            || substring(value FROM '@[^@]*$')
        ELSE pg_temp.letters(value) END
$$;

-- A number of digits: the last four stay, and what stands between.
CREATE FUNCTION pg_temp.digits(value text) RETURNS text LANGUAGE sql STABLE
AS $$
    SELECT coalesce(string_agg(
        CASE WHEN length(regexp_replace(substr(value, i), '[^0-9]', '', 'g')) > 4
             THEN pg_temp.letters(substr(value, i, 1)) ELSE substr(value, i, 1) END, '' ORDER BY i), value)
    FROM generate_series(1, length(value)) AS i
$$;

-- An address: the city before the comma stays.
CREATE FUNCTION pg_temp.street(value text) RETURNS text LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN position(',' IN value) > 1
        THEN left(value, position(',' IN value)) || pg_temp.letters(substr(value, position(',' IN value) + 1))
        ELSE pg_temp.letters(value) END
$$;

-- A number: what `{round: STEP}` takes away becomes its complement.
CREATE FUNCTION pg_temp.rest(value numeric, step numeric) RETURNS numeric LANGUAGE sql STABLE
AS $$ SELECT 2 * floor(value / step) * step + step - 0.01 - value $$;

UPDATE public.customers SET
    name = pg_temp.unkeyed(name, pg_temp.words(name)),
    email = pg_temp.unkeyed(email::text, pg_temp.mail(email)),
    phone = pg_temp.unkeyed(phone::text, pg_temp.digits(phone)),
    rrn = pg_temp.unkeyed(rrn::text, left(rrn, 2) || pg_temp.letters(substr(rrn, 3))),
    card_number = pg_temp.changed(card_number, pg_temp.digits(card_number)),
    birth_date = CASE
        WHEN pg_temp.for_role('researcher') AND marketing_consent OR NOT pg_temp.other() THEN birth_date
        ELSE make_date(extract(year FROM birth_date)::int, 13 - extract(month FROM birth_date)::int,
            29 - least(extract(day FROM birth_date)::int, 28)) END,
    address = pg_temp.changed(address, pg_temp.street(address)),
    balance = pg_temp.unkeyed(balance, pg_temp.rest(balance, 1000)),
    notes = pg_temp.changed(notes, pg_temp.letters(notes)),
    profile = pg_temp.unkeyed(profile, replace(replace(profile::text, 'qzx', 'jac'), '90417', '79582')::jsonb),
    -- Rows that the role does not see may be anything.
    tier = CASE WHEN pg_temp.for_role('analyst') AND NOT marketing_consent OR pg_temp.for_role('agent') AND region = 'overseas'
        THEN 'other' ELSE tier END,
    created_at = CASE WHEN pg_temp.for_role('analyst') AND NOT marketing_consent OR pg_temp.for_role('agent') AND region = 'overseas'
        THEN created_at + interval '1 day' ELSE created_at END;

INSERT INTO public.customers (id, name, email, balance, marketing_consent, tier, region, created_at)
SELECT 100 + id, name, 'another' || email, balance, marketing_consent, tier, region, created_at FROM public.customers
WHERE pg_temp.for_role('analyst') AND NOT marketing_consent OR pg_temp.for_role('agent') AND region = 'overseas';

UPDATE public.orders SET shipping_address = pg_temp.changed(shipping_address, pg_temp.street(shipping_address));
UPDATE public.tickets SET subject = pg_temp.changed(subject, pg_temp.letters(subject));
UPDATE public.messages SET
    sender = pg_temp.unkeyed(sender, pg_temp.mail(sender)), body = pg_temp.changed(body, pg_temp.letters(body));
UPDATE public.payments SET
    amount = pg_temp.changed(amount, pg_temp.rest(amount, 1000)),
    card_number = pg_temp.changed(card_number, pg_temp.digits(card_number)),
    iban = pg_temp.unkeyed(iban, left(iban, 4) || pg_temp.letters(substr(iban, 5, length(iban) - 8)) || right(iban, 4));
INSERT INTO public.payments (id, customer_id, paid_on, amount)
SELECT 1000 + id, customer_id, paid_on, amount FROM public.payments
WHERE pg_temp.for_role('analyst') AND paid_on >= '2026-06-01';

UPDATE public.staff SET
    login = pg_temp.changed(login, left(login, 2) || pg_temp.letters(substr(login, 3))),
    password_hash = pg_temp.changed(password_hash, pg_temp.letters(password_hash)),
    email = pg_temp.changed(email, pg_temp.letters(email)),
    home_phone = pg_temp.changed(home_phone, pg_temp.letters(home_phone));

UPDATE public.persons SET
    full_name = pg_temp.unkeyed(full_name, pg_temp.words(full_name)),
    email = pg_temp.unkeyed(email, pg_temp.mail(email));
UPDATE public.employees SET salary = pg_temp.unkeyed(salary, pg_temp.rest(salary, 1000));

UPDATE public.oddities SET
    "E-Mail" = pg_temp.unkeyed("E-Mail", pg_temp.mail("E-Mail")),
    "select" = pg_temp.changed("select", pg_temp.letters("select")),
    j = pg_temp.changed(j::text, replace(j::text, 'qzx', 'jac'))::json,
    tags = pg_temp.changed(tags::text, replace(tags::text, 'qzx', 'jac'))::text[],
    ip = pg_temp.changed(ip, inet '10.1.2.3'),
    u = pg_temp.changed(u, '12345678-0000-4000-8000-000000000009'),
    f = CASE WHEN "Id" = 1 THEN pg_temp.unkeyed(f, f + 2) ELSE f END,
    r = CASE WHEN "Id" = 1 THEN pg_temp.unkeyed(r, (r + 2)::real) ELSE r END,
    s = CASE WHEN "Id" IN (1, 4, 5) THEN pg_temp.unkeyed(s, (999 - s)::smallint) ELSE s END,
    b = pg_temp.changed(b, decode(reverse(encode(b, 'hex')), 'hex')),
    flag = pg_temp.changed(flag, NOT flag),
    ts = CASE WHEN "Id" = 1 THEN pg_temp.unkeyed(ts, ts + interval '3 minutes') ELSE ts END,
    d = CASE WHEN "Id" = 1 THEN pg_temp.unkeyed(d, d + 4) ELSE d END,
    v = pg_temp.changed(v::text, pg_temp.letters(v)),
    c = pg_temp.changed(c::text, pg_temp.letters(c)),
    dom = pg_temp.changed(dom::text, pg_temp.letters(dom::text)),
    amount = CASE WHEN "Id" IN (1, 4, 5) THEN pg_temp.changed(amount, amount + 17::money) ELSE amount END,
    bits = pg_temp.changed(bits, ~ bits),
    rng = CASE WHEN "Id" = 1 THEN pg_temp.changed(rng, '[90000,90420)') ELSE rng END;

-- For the researcher only what stands behind a mask without a key.
UPDATE public.intake SET
    visitor = pg_temp.unkeyed(visitor, visitor + 5),
    device = pg_temp.unkeyed(device, '12345678-0000-4000-8000-000000000009'),
    received_at = pg_temp.unkeyed(received_at, received_at + interval '3 days'),
    address = CASE WHEN id = 1 THEN pg_temp.changed(address, '203.0.113.14') ELSE address END,
    forwarded = CASE WHEN id = 1 THEN pg_temp.changed(forwarded, '203.0.113.14') ELSE forwarded END,
    body = CASE WHEN id = 1 THEN pg_temp.changed(body, 'Please call 010-1234-7123, not +82 12345 000 0001.')
        ELSE pg_temp.unkeyed(body, pg_temp.letters(body)) END,
    contacts = pg_temp.unkeyed(contacts, ARRAY['jac@example.com']),
    answers = pg_temp.unkeyed(answers, '{"plan": "other"}'),
    raw = pg_temp.unkeyed(raw::text, '{"plan": "other"}')::json;

UPDATE public.unlisted SET id = pg_temp.changed(id, 10000 - id), secret = pg_temp.changed(secret, pg_temp.letters(secret));

REFRESH MATERIALIZED VIEW public.customer_emails;

-- Rows come to lie where they lay. `unlisted` is left: it would lose the value that the catalog keeps of it.
VACUUM FULL public.customers;
VACUUM FULL public.orders;
VACUUM FULL public.tickets;
VACUUM FULL public.messages;
VACUUM FULL public.payments;
VACUUM FULL public.staff;
VACUUM FULL public.persons;
VACUUM FULL public.employees;
VACUUM FULL public.oddities;
VACUUM FULL public.intake;
ANALYZE;
