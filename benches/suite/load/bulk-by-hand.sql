SELECT id,
    regexp_replace(name, '(?<=\S)\S', '*', 'g') AS name,
    left(email, 1) || '***' || substr(email, strpos(email, '@')) AS email,
    translate(left(phone, -4), '0123456789', '**********') || right(phone, 4) AS phone,
    translate(left(card_number, -4), '0123456789', '**********') || right(card_number, 4) AS card_number
FROM public.customers
WHERE id > 1000
