using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using Npgsql;

namespace BackupDr.Capacity;

/// <summary>A PostgreSQL as its package makes it, and one node over it, both on loopback and gone at the end.</summary>
sealed class Installation : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    readonly string _folder, _bin;
    readonly int _port = FreePort();
    Process? _node;

    Installation(string folder)
    {
        _folder = folder;
        _bin = Directory.GetDirectories("/usr/lib/postgresql").Select(path => Path.Combine(path, "bin")).Order().Last();
    }

    /// <summary>Whether the costly statements are told, which itself costs a little.</summary>
    public static bool TellsStatements => Environment.GetEnvironmentVariable("BACKUPDR_STATEMENTS") == "1";

    string Data => Path.Combine(_folder, "pg");
    string KeyFile => Path.Combine(_folder, "api-key");

    /// <summary>Console and API.</summary>
    public Uri Console { get; } = new($"http://127.0.0.1:{FreePort()}");
    /// <summary>The agents' listener.</summary>
    public Uri Agents { get; } = new($"https://127.0.0.1:{FreePort()}");
    /// <summary>The API key.</summary>
    public Secret Key => Secret.FromText(File.ReadAllText(KeyFile));
    /// <summary>The database.</summary>
    public string Database => $"Host=127.0.0.1;Port={_port};Username=postgres;Database=backupdr";
    /// <summary>A client of the API.</summary>
    public ApiClient Api() => new(Console, Key);

    /// <summary>Starts both.</summary>
    /// <param name="app">Folder of the published programs.</param>
    /// <param name="folder">A folder that does not exist yet.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<Installation> Start(string app, string folder, CancellationToken ct)
    {
        var made = new Installation(folder);
        try
        {
            await made.StartDatabase(ct);
            await made.StartNode(app, ct);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    async Task StartDatabase(CancellationToken ct)
    {
        Directory.CreateDirectory(_folder);
        if (Environment.IsPrivilegedProcess)
        {
            File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
            Directory.CreateDirectory(Data);
            await Run("chown", ["postgres", Data], ct);
        }
        await Run("initdb", ["-D", Data, "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--encoding=UTF8"], ct);
        // Durable as it comes; only the connections and a little memory are raised.
        await File.AppendAllTextAsync(Path.Combine(Data, "postgresql.conf"), string.Create(CultureInfo.InvariantCulture, $"""

            listen_addresses = '127.0.0.1'
            port = {_port}
            unix_socket_directories = '{Data}'
            max_connections = 200
            shared_buffers = 256MB
            {(TellsStatements ? "shared_preload_libraries = pg_stat_statements" : "")}

            """), ct);
        await Run("pg_ctl", ["-D", Data, "-w", "-t", "60", "-l", Path.Combine(Data, "log"), "start"], ct);
        await Run("createdb", ["-h", "127.0.0.1", "-p", _port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", "backupdr"], ct);
    }

    async Task StartNode(string app, CancellationToken ct)
    {
        await File.WriteAllTextAsync(KeyFile, "capacity-0123456789-0123456789", ct);
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var settings = Path.Combine(_folder, "node.json");
        await File.WriteAllTextAsync(settings, JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["Database"] = new { ConnectionString = Database },
            ["Console"] = new { Url = Console.ToString().TrimEnd('/') },
            ["Agents"] = new { Url = Agents.ToString().TrimEnd('/') },
            ["Secrets"] = new { KeyFile = Path.Combine(_folder, "sealing.key") },
            ["Bootstrap"] = new { ApiKeyFile = KeyFile },
            ["Log"] = new { Level = "Warning" },
        }), ct);
        File.SetUnixFileMode(settings, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _node = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$0\" console --settings \"$1\" >>\"$2\" 2>&1",
            Path.Combine(app, "backupdr"), settings, Path.Combine(_folder, "node.log")]))!;
        using var api = Api();
        for (var begun = Stopwatch.GetTimestamp(); !await api.IsReady(ct); await Task.Delay(100, ct))
            if (_node.HasExited || Stopwatch.GetElapsedTime(begun) > Patience)
                throw new InvalidOperationException($"The node did not start; see {_folder}/node.log.");
    }

    async Task Run(string program, string[] arguments, CancellationToken ct)
    {
        var path = File.Exists(Path.Combine(_bin, program)) ? Path.Combine(_bin, program) : program;
        string[] words = Environment.IsPrivilegedProcess && program != "chown"
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", path, .. arguments] : [path, .. arguments];
        using var process = Process.Start(new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardOutput = program != "pg_ctl",   // its server would keep the pipe open
            WorkingDirectory = "/",
        })!;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        await process.WaitForExitAsync(late.Token);
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
    }

    static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Runs a statement; gives the first value.</summary>
    public async Task<T?> Ask<T>(string sql, CancellationToken ct)
    {
        await using var connection = new NpgsqlConnection(Database + ";Command Timeout=600");
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(ct) is T value ? value : default;
    }

    /// <summary>Counts the cost of statements from now on.</summary>
    public Task ForgetStatements(CancellationToken ct)
        => Ask<int>("create extension if not exists pg_stat_statements; select pg_stat_statements_reset()", ct);

    /// <summary>The costly statements since then, the worst first.</summary>
    public async Task<IReadOnlyList<string>> Statements(CancellationToken ct) => await Ask<string[]>("""
        select array_agg(line) from (select format('%s s, %s calls, %s ms each: %s', round(total_exec_time::numeric / 1000, 2), calls,
                round(mean_exec_time::numeric, 2), left(regexp_replace(query, '\s+', ' ', 'g'), 160)) as line
            from pg_stat_statements order by total_exec_time desc limit 25) x
        """, ct) ?? [];

    /// <summary>What node and database used up to now.</summary>
    public Usage Used() => new(Stopwatch.GetTimestamp(), Usage.CpuOf(_node!.Id), Servers().Sum(Usage.CpuOf),
        Environment.CpuUsage.TotalTime.TotalSeconds, Usage.MemoryOf(_node.Id, "VmRSS:"),
        Servers().Sum(pid => Usage.MemoryOf(pid, "RssAnon:")));

    /// <summary>All of a server's processes work in its folder.</summary>
    IEnumerable<int> Servers() => Directory.EnumerateDirectories("/proc").Select(path => Path.GetFileName(path))
        .Where(name => name.All(char.IsAsciiDigit) && IsServer(name)).Select(name => int.Parse(name, CultureInfo.InvariantCulture));

    bool IsServer(string pid)
    {
        try { return new FileInfo($"/proc/{pid}/cwd").LinkTarget == Data; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }   // it ended
    }

    public async ValueTask DisposeAsync()
    {
        if (_node is { HasExited: false })
        {
            _node.Kill();
            await _node.WaitForExitAsync();
        }
        _node?.Dispose();
        if (File.Exists(Path.Combine(Data, "postmaster.pid"))) await Run("pg_ctl", ["-D", Data, "-w", "-m", "fast", "stop"], default);
    }
}

/// <summary>What node and database used up to a moment.</summary>
/// <param name="At">The moment.</param>
/// <param name="NodeCpu">CPU seconds of the node.</param>
/// <param name="DatabaseCpu">CPU seconds of the database's processes, also of those that ended.</param>
/// <param name="AgentsCpu">CPU seconds of this program, which is the agents.</param>
/// <param name="NodeBytes">Resident memory of the node.</param>
/// <param name="DatabaseBytes">Private memory of the database's processes, without what they share.</param>
sealed record Usage(long At, double NodeCpu, double DatabaseCpu, double AgentsCpu, long NodeBytes, long DatabaseBytes)
{
    /// <summary>What <see cref="Since"/> gives.</summary>
    public const string Columns = "node CPU | database CPU | agents CPU | node MiB | database MiB";

    /// <summary>CPU seconds a second from an earlier moment to this one, and the memory now.</summary>
    public string Since(Usage before)
    {
        var seconds = Stopwatch.GetElapsedTime(before.At, At).TotalSeconds;
        return string.Create(CultureInfo.InvariantCulture, $"{(NodeCpu - before.NodeCpu) / seconds:0.00} | "
            + $"{Math.Max(0, DatabaseCpu - before.DatabaseCpu) / seconds:0.00} | {(AgentsCpu - before.AgentsCpu) / seconds:0.00} | "
            + $"{NodeBytes >> 20} | {DatabaseBytes >> 20}");
    }

    /// <summary>Of a process and of its children that ended.</summary>
    public static double CpuOf(int pid)
    {
        try
        {
            var fields = File.ReadAllText($"/proc/{pid}/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields[11..15].Sum(ticks => long.Parse(ticks, CultureInfo.InvariantCulture)) / 100.0;
        }
        catch (IOException) { return 0; }   // it ended
    }

    public static long MemoryOf(int pid, string field)
    {
        try
        {
            var line = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(text => text.StartsWith(field, StringComparison.Ordinal));
            return line is null ? 0
                : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) << 10;
        }
        catch (IOException) { return 0; }   // it ended
    }
}
