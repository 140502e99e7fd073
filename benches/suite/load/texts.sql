\set n random(1, 2000000000)
SELECT c:n.id, c:n.name, c:n.email, c:n.phone, c:n.balance FROM public.customers AS c:n WHERE c:n.id = 1001;
