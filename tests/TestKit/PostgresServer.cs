using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace BackupDr.TestKit;

/// <summary>A real PostgreSQL server for a test assembly, and private databases copied from prepared templates in tens of
/// milliseconds.</summary>
/// <remarks>
/// Used as an assembly fixture. It starts its own cluster from the installed server programs (as user postgres when the tests run as root),
/// on
/// loopback, without fsync, in a temporary folder, and removes it at the end. BACKUPDR_TEST_POSTGRES, a connection string of a superuser,
/// names
/// another server instead. Where there is none, tests that ask for a database are skipped; with CI=true they fail.
/// </remarks>
public sealed class PostgresServer : IAsyncDisposable
{
    static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);

    readonly SemaphoreSlim _once = new(1, 1);
    readonly Dictionary<string, string> _templates = [];
    readonly List<string> _databases = [];
    string? _connection;
    string? _folder;
    Process? _server;

    /// <summary>A copy of the template that <paramref name="prepare"/> fills once per assembly and name.</summary>
    /// <param name="template">Names the template.</param>
    /// <param name="prepare">Gets the connection string of the empty template database.</param>
    /// <returns>The connection string of a private database.</returns>
    public async Task<string> NewDatabase(string template, Func<string, Task> prepare)
    {
        await _once.WaitAsync();
        try
        {
            await Start();
            if (!_templates.TryGetValue(template, out var source))
            {
                source = await Make("template1");
                await prepare(At(source));
                _templates.Add(template, source);
            }
            var copy = await Make(source);
            _databases.Add(copy);
            return At(copy);
        }
        finally
        {
            _once.Release();
        }
    }

    /// <summary>An empty private database.</summary>
    public Task<string> NewDatabase() => NewDatabase("empty", _ => Task.CompletedTask);

    /// <summary>Kills the connections of a database, as a restarting server would.</summary>
    public async Task CutConnections(string connectionString)
        => await Execute($"select pg_terminate_backend(pid) from pg_stat_activity where datname = "
            + $"'{new NpgsqlConnectionStringBuilder(connectionString).Database}' and pid <> pg_backend_pid()");

    async Task<string> Make(string template)
    {
        var name = $"t_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}";
        await Execute($"create database {name} template {template} strategy file_copy");
        return name;
    }

    string At(string database) => new NpgsqlConnectionStringBuilder(_connection)
    {
        Database = database,
        Pooling = true,
        MaxPoolSize =
        20
    }.ConnectionString;

    async Task Execute(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_connection)
        {
            Pooling =
            false
        }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    async Task Start()
    {
        if (_connection is not null) return;
        if (Environment.GetEnvironmentVariable("BACKUPDR_TEST_POSTGRES") is { Length: > 0 } named)
        {
            _connection = named;
            return;
        }
        if (Programs() is not { } bin)
        {
            if (Environment.GetEnvironmentVariable("CI") == "true") Xunit.Assert.Fail("The package postgresql is not installed.");
            Xunit.Assert.Skip("needs the package postgresql");
            return;
        }
        _folder = Directory.CreateTempSubdirectory("bdr-pg-").FullName;
        var data = Path.Combine(_folder, "data");
        string[] unprivileged = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
            "--"] : [];
        if (Environment.IsPrivilegedProcess) await Run(["chown", "postgres", _folder]);
        await Run([.. unprivileged, Path.Combine(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8",
            "--encoding=UTF8"]);
        var port = FreePorts.Find();
        _server = Process.Start(Starting([.. unprivileged, Path.Combine(bin, "postgres"), "-D", data, "-p",
            port.ToString(CultureInfo.InvariantCulture),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c",
                "synchronous_commit=off",
            "-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "log_min_messages=fatal"]));
        _server!.OutputDataReceived += (_, _) => { };
        _server.ErrorDataReceived += (_, _) => { };
        _server.BeginOutputReadLine();
        _server.BeginErrorReadLine();
        _connection = $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Timeout=5";
        await UntilReady();
    }

    async Task UntilReady()
    {
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                await Execute("select 1");
                return;
            }
            catch (NpgsqlException) when (Stopwatch.GetElapsedTime(start) < StartPatience && !_server!.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>The folder of the newest installed server programs.</summary>
    public static string? Programs()
    {
        const string root = "/usr/lib/postgresql";
        if (!Directory.Exists(root)) return null;
        return Directory.GetDirectories(root).Select(version => Path.Combine(version, "bin"))
            .Where(bin => File.Exists(Path.Combine(bin, "initdb")))
            .OrderByDescending(bin => int.TryParse(Path.GetFileName(Path.GetDirectoryName(bin)), out var version) ? version : 0)
                .FirstOrDefault();
    }

    static ProcessStartInfo Starting(IReadOnlyList<string> words)
        => new(words[0], words.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };

    static async Task Run(IReadOnlyList<string> words)
    {
        using var process = Process.Start(Starting(words))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{words[0]} failed: {errors}{await output}");
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_server is not null)
        {
            // immediate shutdown: nothing in it is kept
            using var kill = Process.Start(new ProcessStartInfo("kill", ["-QUIT", _server.Id.ToString(CultureInfo.InvariantCulture)]));
            await kill!.WaitForExitAsync();
            await _server.WaitForExitAsync();
            _server.Dispose();
        }
        else if (_connection is not null)
        {
            foreach (var database in _databases.Concat(_templates.Values))
                await Execute($"drop database if exists {database} with (force)");
        }
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
        _once.Dispose();
    }
}
