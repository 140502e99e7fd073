// One session through node-postgres and one through postgres.js; run by drivers.rs. Prints what came back as JSON. The
// address is in libpq's variables; the modules are in the folder that is given.
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2] + '/');
const driver = process.argv[3];
const host = process.env.PGHOST, port = Number(process.env.PGPORT);
const place = { host, port, user: process.env.PGUSER, password: process.env.PGPASSWORD, database: process.env.PGDATABASE };
const found = [];
const saw = (...values) => found.push(values);

async function nodePostgres() {
  const pg = require('pg');
  const Cursor = require('pg-cursor');
  const client = new pg.Client(place);
  await client.connect();
  saw((await client.query('SELECT id, email, profile, balance, birth_date FROM customers WHERE id = $1', [1])).rows);
  const named = { name: 'by id', text: 'SELECT email FROM customers WHERE id = $1' };
  for (const id of [2, 3]) saw((await client.query({ ...named, values: [id] })).rows);
  const cursor = client.query(new Cursor('SELECT id FROM customers ORDER BY id'));
  for (let rows; (rows = await cursor.read(7)).length; ) saw(rows.length, rows[0]);
  await cursor.close();
  saw((await client.query('SELECT 1 AS one; SELECT name FROM customers WHERE id = 1')).map((result) => result.rows));
  for (const wrong of ['SELECT 1/0', 'SELECT nothing FROM customers'])
    await client.query(wrong, []).catch((error) => saw(error.code, error.message));
  saw((await client.query({ text: 'SELECT id, region FROM customers WHERE id = 1', rowMode: 'array' })).rows);
  await client.end();
  const pool = new pg.Pool({ ...place, max: 5 });
  const email = (id) => pool.query('SELECT email FROM customers WHERE id = $1', [id]).then((result) => result.rows[0]);
  saw(await Promise.all([...Array(40).keys()].map((n) => email(n + 1))));
  await pool.end();
}

async function postgresJs() {
  const postgres = require('postgres');
  const sql = postgres({ ...place, max: 3, onnotice: () => {} });
  saw(await sql`SELECT id, email, profile, created_at FROM customers WHERE id = ${1}`);
  saw(await sql`SELECT count(*) FROM customers WHERE id = ANY(${[1, 2, 3]})`);
  await sql.begin(async (transaction) => {
    saw(await transaction`SELECT email FROM customers WHERE id IN ${transaction([1, 2])} ORDER BY id`);
    const wrong = transaction.savepoint((inner) => inner`SELECT 1/0`);
    await wrong.catch((error) => saw(error.code, error.message));
    saw(await transaction`SELECT 5 AS after`);
  });
  await sql`SELECT id FROM customers ORDER BY id`.cursor(7, (rows) => saw(rows.length, rows[0]));
  saw((await sql`SELECT email FROM customers WHERE id = 1`.describe()).columns.map((column) => column.name));
  const long = sql`SELECT count(*) FROM generate_series(1, 2000000000)`;
  setTimeout(() => long.cancel(), 500);
  await long.catch((error) => saw(error.code));
  const copied = await sql`COPY (SELECT id, email FROM customers WHERE id < 3 ORDER BY id) TO STDOUT`.readable();
  for await (const chunk of copied) saw(chunk.toString());
  await sql.end();
}

await (driver === 'pg' ? nodePostgres() : postgresJs());
console.log(JSON.stringify(found));
