namespace BackupDr.TestKit;

/// <summary>The statements of docs/operate/mariadb.md, which the tests run as they are written there.</summary>
public static class MariaDbPage
{
    /// <summary>Makes the user of the page with its rights, and no more.</summary>
    public static void MakeUser(MariaDbServer server, string password)
    {
        var text = $"'{password.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";
        var lines = File.ReadLines(Path.Combine(Service.Checkout(), "docs/operate/mariadb.md")).Select(line => line.Trim())
            .Where(line => line.StartsWith("CREATE USER backupdr", StringComparison.Ordinal)
                || line.StartsWith("GRANT ", StringComparison.Ordinal)).ToList();
        Xunit.Assert.Equal(2, lines.Count);
        foreach (var line in lines) server.Execute(line.Replace("'…'", text, StringComparison.Ordinal));
    }
}
