import java.sql.*;
import java.util.*;

/** Everything that pgjdbc's DatabaseMetaData reads; run by jdbc.rs. Prints a line a row. */
public class Metadata {
    static void print(String what, ResultSet rows) throws SQLException {
        ResultSetMetaData shape = rows.getMetaData();
        int count = 0;
        while (rows.next()) {
            StringBuilder line = new StringBuilder(what);
            for (int i = 1; i <= shape.getColumnCount(); i++) {
                line.append(" | ").append(rows.getString(i));
            }
            System.out.println(line);
            count++;
        }
        System.out.println(what + ": " + count + " rows");
        rows.close();
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + arguments[0] + "/desk?sslmode=disable";
        try (Connection connection = DriverManager.getConnection(url, arguments[1], arguments[2])) {
            DatabaseMetaData data = connection.getMetaData();
            System.out.println("user " + data.getUserName());
            print("schemas", data.getSchemas());
            print("catalogs", data.getCatalogs());
            print("types", data.getTableTypes());
            print("tables", data.getTables(null, "public", "%", null));
            print("columns", data.getColumns(null, "public", "%", "%"));
            print("procedures", data.getProcedures(null, "public", "%"));
            print("functions", data.getFunctions(null, "public", "%"));
            print("tableprivileges", data.getTablePrivileges(null, "public", "%"));
            print("udts", data.getUDTs(null, "public", "%", null));
            print("typeinfo", data.getTypeInfo());
            for (String table : new String[] {"customers", "orders", "staff", "payments"}) {
                print(table + " keys", data.getPrimaryKeys(null, "public", table));
                print(table + " imported", data.getImportedKeys(null, "public", table));
                print(table + " exported", data.getExportedKeys(null, "public", table));
                print(table + " indexes", data.getIndexInfo(null, "public", table, false, true));
                print(table + " row", data.getBestRowIdentifier(null, "public", table, DatabaseMetaData.bestRowSession, true));
                print(table + " columnprivileges", data.getColumnPrivileges(null, "public", table, "%"));
            }
            print("cross", data.getCrossReference(null, "public", "customers", null, "public", "orders"));
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT id, email FROM customers WHERE id = 1")) {
                ResultSetMetaData shape = rows.getMetaData();
                System.out.println("shape " + shape.getColumnName(1) + " " + shape.isNullable(1) + " " + shape.isAutoIncrement(1)
                        + " " + shape.getTableName(1) + " " + shape.getColumnTypeName(2));
                print("answer", rows);
            }
        }
    }
}
