\set id random(1001, 1000 + :customers)
SELECT id, regexp_replace(name, '(?<=\S)\S', '*', 'g') AS name, left(email, 1) || '***' || substr(email, strpos(email, '@')) AS email, translate(left(phone, -4), '0123456789', '**********') || right(phone, 4) AS phone, CAST(floor(balance / 1000) * 1000 AS numeric(14,2)) AS balance FROM public.customers WHERE id = :id;
