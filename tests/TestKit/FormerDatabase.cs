using System.Globalization;
using System.Text;
using Npgsql;

namespace BackupDr.TestKit;

/// <summary>The rows that an older version wrote: two hosts, three items with recovery points and runs, a run under way, a location with
/// credentials, an administrator, evidence and an audit log. Made by that version, dumped with pg_dump.</summary>
public static class FormerDatabase
{
    /// <summary>The number of the last migration that it knew.</summary>
    public const int LastMigration = 390;

    /// <summary>Its administrator's one-time password.</summary>
    public const string OneTimePassword = "one-time-password";

    /// <summary>The secret key of the location "Far".</summary>
    public const string SecretKey = "fixture-secret-key";

    /// <summary>Whether a migration is one that it knew.</summary>
    /// <param name="name">For example "0390_replaced_hosts.sql".</param>
    public static bool Knew(string name)
        => int.Parse(name.AsSpan(0, 4), NumberStyles.None, CultureInfo.InvariantCulture) <= LastMigration;

    /// <summary>Fills the tables that those migrations made.</summary>
    public static async Task Fill(string connectionString)
    {
        await using var connection = new NpgsqlConnection($"{connectionString};Pooling=false");
        await connection.OpenAsync();
        var tables = new List<string>();
        await using (var ask = new NpgsqlCommand("select tablename::text from pg_tables where schemaname = 'public' and tablename <> "
            + "'migration' and tablename not like 'qrtz_%'", connection))
        await using (var reader = await ask.ExecuteReaderAsync())
            while (await reader.ReadAsync()) tables.Add(reader.GetString(0));
        // What the migrations put there themselves is in the dump as well.
        var text = string.Concat(tables.Select(table => $"delete from {table};\n")) + Read("former.sql");
        await using var command = new NpgsqlCommand(text, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Writes the key file that opens what is sealed in it.</summary>
    public static void WriteKey(string path)
    {
        File.WriteAllBytes(path, Convert.FromHexString(Read("former.key").Trim()));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    static string Read(string name)
    {
        using var reader = new StreamReader(typeof(FormerDatabase).Assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
