using System.Text.Json;
using BackupDr.TestKit;
using Microsoft.Data.Sqlite;

namespace BackupDr.Cli.Tests;

/// <summary>A database protected by the program as a person uses it.</summary>
public sealed class SqliteCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    string Database => _scratch.At("app/data.db");

    static JsonElement Succeed(params string[] arguments) => Run(0, arguments);

    static JsonElement Run(int exitCode, params string[] arguments)
    {
        var result = BackupdrProgram.Run([.. arguments, "--json"]);
        Assert.True(result.ExitCode == exitCode, $"It ended with {result.ExitCode}: {result.Output}{result.Errors}");
        var last = result.Output.TrimEnd().Split('\n')[^1];
        return last.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(last);
    }

    static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return connection;
    }

    static object? Ask(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    [Fact]
    public void A_database_is_found_stored_proven_and_put_back()
    {
        _scratch.File("app/none", "");
        string[] repository = ["--repo", _scratch.At("repository")];
        Succeed(["repo", "init", .. repository]);
        using (var connection = Open(Database))
        {
            Ask(connection, "create table orders (id int); insert into orders values (1), (2)");

            Assert.Contains(Succeed("sqlite", "discover").EnumerateArray(),
                found => found.GetProperty("data_path").GetString() == Database);
            Assert.Equal("sqlite.journal_mode", Assert.Single(Succeed("sqlite", "preflight", Database).EnumerateArray())
                .GetProperty("code").GetString());
            Assert.Equal(Database, Succeed(["sqlite", "backup", Database, .. repository]).GetProperty("database").GetString());
            Ask(connection, "delete from orders");
        }
        string[] prove = ["sqlite", "prove", "--scratch", _scratch.At("app"), .. repository];
        Assert.True(Succeed([.. prove, "--assert", "select count(*) = 2 from orders"]).GetProperty("proven").GetBoolean());
        Assert.False(Run(1, [.. prove, "--assert", "select count(*) > 2 from orders"]).GetProperty("proven").GetBoolean());

        Run(1, ["sqlite", "restore", "--target", Database, .. repository]);
        Succeed(["sqlite", "restore", "--target", Database, "--over", .. repository]);

        using var back = Open(Database);
        Assert.Equal(2L, Ask(back, "select count(*) from orders"));
    }
}
