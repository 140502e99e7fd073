"""Adminer behind PHP's own server: logs in as the user of libpq's variables and prints what each page shows, as JSON.

Arguments: Adminer's entry file.
"""

import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

# What comes behind the server, the user, the database and the schema in the address.
PAGES = {
    "tables": "",
    "table": "table=customers",
    "view": "view=mailing_list",
    "rows": "select=customers",
    "rows of a view": "select=mailing_list",
    "rows in order": "select=customers&columns[0][fun]=&columns[0][col]=id&order[0]=email&limit=5",
    "rows by a guess": "select=customers&where[0][col]=email&where[0][op]==&where[0][val]=minqzxsu.kim@example.com",
    "rows in groups": "select=customers&columns[0][fun]=&columns[0][col]=region&columns[1][fun]=count&columns[1][col]=id",
    "a row": "edit=customers&where[id]=1",
    "another table": "table=orders",
    "a hidden table": "table=staff",
    "rows of a hidden table": "select=staff",
    "a partition": "select=payments",
    "alter a table": "create=customers",
    "alter indexes": "indexes=customers",
    "alter a foreign key": "foreign=orders",
    "diagram": "schema=",
    "command": "sql=SELECT+1",
    "export": "dump=",
    "variables": "variables=",
    "processes": "processlist=",
    "a sequence": "sequence=customers_id_seq",
}
STATEMENTS = {
    "statement": "SELECT id, name, email, tier FROM customers ORDER BY id LIMIT 3",
    "statements": "SELECT count(*) FROM orders; SELECT email FROM customers WHERE id = 1",
    "explained": "EXPLAIN SELECT * FROM customers",
}


class Adminer:
    def __init__(self, address):
        self.address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(cookies)

    def ask(self, query, form=None):
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        query = urllib.parse.quote(query, safe="=&[]+.:")
        try:
            with self.opener.open(f"{self.address}/?{query}", data, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("PHP's server does not come up")


def token_of(page):
    found = re.search(r"name=['\"]token['\"] value=['\"]([^'\"]*)", page)
    return found.group(1) if found else ""


def pages(adminer, server, user, password):
    login = {"driver": "pgsql", "server": server, "username": user, "password": password, "db": "desk"}
    adminer.ask("", {f"auth[{name}]": value for name, value in login.items()})
    base = f"pgsql={server}&username={user}&db=desk&ns=public&"
    seen = {name: adminer.ask(base + query) for name, query in PAGES.items()}
    for name, sql in STATEMENTS.items():
        token = token_of(seen["command"][1])
        seen[name] = adminer.ask(base + "sql=", {"query": sql, "limit": "", "token": token})
    dump = {
        "output": "text", "format": "csv", "table_style": "", "data_style": "INSERT",
        "tables[]": "customers", "data[]": "customers", "token": token_of(seen["export"][1]),
    }
    seen["exported"] = adminer.ask(base + "dump=", dump)
    return seen


def main():
    user, password = os.environ["PGUSER"], os.environ["PGPASSWORD"]
    server = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}"
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"-dsession.save_path={folder}", f"-dsys_temp_dir={folder}"]
        php = subprocess.Popen(
            ["php", *settings, "-S", f"127.0.0.1:{port}", sys.argv[1]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            seen = pages(Adminer(f"http://127.0.0.1:{port}"), server, user, password)
        finally:
            php.terminate()
            php.wait()
    print(json.dumps({name: {"status": status, "text": text} for name, (status, text) in seen.items()}))


main()
