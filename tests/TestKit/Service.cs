using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using Npgsql;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>A whole service as a person starts it: the published <c>backupdr up</c> with a data folder and ports of its own.</summary>
public sealed class Service : IAsyncDisposable
{
    readonly ScratchFolder _scratch = new();
    Process? _up;
    Task<string> _errors = Task.FromResult("");

    /// <exception cref="Xunit.Sdk.SkipException">PostgreSQL is missing.</exception>
    public Service()
    {
        if (PostgresServer.Programs() is null) Missing("the package postgresql");
        // The database's user enters the data folder through this one.
        File.SetUnixFileMode(_scratch.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Port = FreePorts.Find(2);
    }

    /// <summary>Folder of the sources: hidden from second hosts.</summary>
    public static string Checkout()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "BackupDr.sln"))) at = Path.GetDirectoryName(at)
            ?? throw new InvalidOperationException("The tests run outside the checkout.");
        return at;
    }

    /// <summary>Port of the console; the agents' is the next one.</summary>
    public int Port { get; }

    /// <summary>The words to put before the program's: to run it at a site, to which <see cref="Port"/> is led then.</summary>
    public IReadOnlyList<string> Within { get; init; } = [];

    /// <summary>Its address.</summary>
    public Uri Console => new($"http://127.0.0.1:{Port}/");

    /// <summary>Its data folder.</summary>
    public string Data => _scratch.At("data");

    /// <summary>Its repositories, one folder a host.</summary>
    public string Repositories => Path.Combine(Data, "repositories");

    /// <summary>A path in the scratch folder.</summary>
    public string At(string relative) => _scratch.At(relative);

    /// <summary>A new folder in the scratch folder.</summary>
    public string Folder(string relative) => _scratch.Folder(relative);

    /// <summary>Starts <c>up --json</c> with what is given besides.</summary>
    public void Start(params IReadOnlyList<string> more)
    {
        string[] words = [.. Within, PublishedProgram.Path, "up", "--json", "--no-browser", "--data", Data, "--port",
            Port.ToString(CultureInfo.InvariantCulture), .. more];
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = _scratch.Path,
        };
        _up?.Dispose();
        _up = Process.Start(start)!;
        _errors = _up.StandardError.ReadToEndAsync();
    }

    /// <summary>The one JSON object that <c>up</c> prints when the proof is done.</summary>
    public async Task<JsonElement> Outcome()
    {
        using var late = new CancellationTokenSource(Patiently.Patience);
        var line = await _up!.StandardOutput.ReadLineAsync(late.Token);
        if (line is null) Assert.Fail($"up ended without an outcome: {await _errors}\n{Logs()}");
        using var document = JsonDocument.Parse(line);
        return document.RootElement.Clone();
    }

    /// <summary>Waits for the end of <c>up</c>.</summary>
    public async Task<(int ExitCode, string Errors)> End()
    {
        using var late = new CancellationTokenSource(Patiently.Patience);
        await _up!.WaitForExitAsync(late.Token);
        return (_up.ExitCode, await _errors);
    }

    /// <summary>Asks <c>up</c> to stop, as Ctrl-C does.</summary>
    public async Task<int> Stop()
    {
        Tool.Succeed("kill", "-TERM", _up!.Id.ToString(CultureInfo.InvariantCulture));
        return (await End()).ExitCode;
    }

    /// <summary>Takes away everything at once, as a power cut does: up, node, agent and database.</summary>
    public async Task KillEverything()
    {
        var pids = Pids("");
        foreach (var pid in pids) Tool.Run("kill", ["-KILL", pid.ToString(CultureInfo.InvariantCulture)]);
        // A process that ends gives its memory back before its sockets, and its command line is gone with its memory.
        await Until(() => Task.FromResult(pids.All(IsGone) && Pids("").Count == 0), "everything is dead");
    }

    /// <summary>Takes the agent away.</summary>
    public void KillAgent()
    {
        var pids = Pids(Path.Combine(Data, "agent"));
        Assert.NotEmpty(pids);
        foreach (var pid in pids) Tool.Run("kill", ["-KILL", pid.ToString(CultureInfo.InvariantCulture)]);
    }

    /// <summary>Starts it over a folder with one small file, and waits until that is proven.</summary>
    public async Task<JsonElement> StartSmall()
    {
        var folder = Folder("first");
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), "here\n");
        Start("--protect", folder);
        return await Outcome();
    }

    /// <summary>The host that joins with a token, once it is online.</summary>
    public async Task<Host> Joined(HttpClient http, JoinTokenId token)
    {
        Host? host = null;
        await Until(async () => (host = (await http.GetFromJsonAsync($"join-tokens/{token}", WireJson.Default.JoinProgress))!.Host)
            is { State: HostState.Online }, "the host appears");
        return host!;
    }

    /// <summary>Waits until it is so.</summary>
    public Task Until(Func<Task<bool>> isSo, string what) => Patiently.Until(isSo, what, async () => $"{await Runs()}{Logs()}");

    /// <summary>The newest runs and the last that each said, for whoever asks why something did not come about.</summary>
    async Task<string> Runs()
    {
        await using var source = await Database();
        await using var command = source.CreateCommand("""
            select concat_ws(' ', r.id, r.kind, r.state, h.name, 'lease', r.lease_epoch, r.progress, r.result, e.code, e.text)
            from run r join host h on h.id = r.host_id
            left join lateral (select code, text from run_event where run_id = r.id order by seq desc limit 1) e on true
            order by r.id desc limit 12
            """);
        try
        {
            await using var rows = await command.ExecuteReaderAsync();
            var lines = new List<string>();
            while (await rows.ReadAsync()) lines.Add(rows.GetString(0));
            return string.Join('\n', lines) + "\n";
        }
        catch (NpgsqlException e) { return $"The database does not tell: {e.Message}\n"; }   // the failure that is told matters more
    }

    async Task<NpgsqlDataSource> Database()
    {
        using var settings = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Data, "appsettings.json")));
        return NpgsqlDataSource.Create(settings.RootElement.GetProperty("Database").GetProperty("ConnectionString").GetString()!);
    }

    /// <summary>Moves the clock of its own database: from now on it is that much later there than elsewhere.</summary>
    public async Task Pass(TimeSpan since)
    {
        await using var source = await Database();
        await using var command = source.CreateCommand("create or replace function clock() returns timestamptz language sql volatile as "
            + string.Create(CultureInfo.InvariantCulture, $"'select clock_timestamp() + interval ''{since.TotalSeconds:0} seconds'''"));
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Packs stored so far.</summary>
    public int Packs() => Directory.Exists(Repositories)
        ? Directory.EnumerateFiles(Repositories, "*", SearchOption.AllDirectories)
            .Count(file => file.Contains("/data/", StringComparison.Ordinal)) : 0;

    /// <summary>A client of the public API with the key of this service.</summary>
    public ApiClient Api() => new(new Uri($"http://127.0.0.1:{Port}"), Key());

    /// <summary>Plain HTTP with the same key, for routes that the client does not have.</summary>
    public HttpClient Http()
    {
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}/api/v1/") };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Key().Reveal());
        return http;
    }

    /// <summary>Stock restic on the repository of an outcome.</summary>
    public ResticCli Restic(JsonElement outcome) => new(outcome.GetProperty("repository").GetString()!,
        File.ReadAllText(outcome.GetProperty("passwordFile").GetString()!).TrimEnd('\n'), At("restic-cache"));

    Secret Key() => Secret.FromText(File.ReadAllText(Path.Combine(Data, "secrets", "api-key")).Trim());

    string Logs() => Directory.Exists(Path.Combine(Data, "log"))
        ? string.Concat(Directory.EnumerateFiles(Path.Combine(Data, "log"))
            .Select(file => $"--- {file}\n{string.Join('\n', File.ReadLines(file).TakeLast(20))}\n")) : "";

    /// <summary>Processes whose command line names the data folder; nobody else's can.</summary>
    List<int> Pids(string alsoNames) => [.. Directory.EnumerateDirectories("/proc")
        .Select(folder => (Folder: folder, Name: Path.GetFileName(folder)))
        .Where(entry => int.TryParse(entry.Name, out _)).Where(entry => CommandLine(entry.Folder) is { } words
            && words.Contains(Data, StringComparison.Ordinal) && words.Contains(alsoNames, StringComparison.Ordinal))
                .Select(entry => int.Parse(entry.Name, CultureInfo.InvariantCulture))];

    /// <summary>Whether nothing of it is left but an entry that nobody asked for yet.</summary>
    static bool IsGone(int pid)
    {
        try
        {
            var threads = Directory.GetDirectories($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/task");
            return threads.All(thread => File.ReadAllText(Path.Combine(thread, "stat")).Split(") ")[^1][0] is 'Z' or 'X');
        }
        catch (IOException) { return true; }   // it ended meanwhile
    }

    static string? CommandLine(string folder)
    {
        try { return File.ReadAllText(Path.Combine(folder, "cmdline")); }
        catch (IOException) { return null; }   // it ended meanwhile
    }

    static void Missing(string what)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail($"{what} is missing.");
        Assert.Skip($"needs {what}");
    }

    /// <summary>Ends everything and removes the data.</summary>
    public async ValueTask DisposeAsync()
    {
        await KillEverything();
        _up?.Dispose();
        _scratch.Dispose();
    }
}
