\set id random(1001, 1000 + :customers)
SELECT id, name, email, phone, balance FROM public.customers WHERE id = :id;
