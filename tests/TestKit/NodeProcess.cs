using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using Npgsql;

namespace BackupDr.TestKit;

/// <summary>A node as a process of its own, over a database that the test gives: a control plane by itself, or one of several nodes.
/// </summary>
/// <param name="scratch">Where its settings, its key and its log are.</param>
/// <param name="name">Names its folder there.</param>
/// <param name="database">The connection string.</param>
/// <param name="apiKeyFile">The key that it admits.</param>
/// <param name="sealingKey">The file of the key that nodes of one control plane share, which go by their names there; null for a control
/// plane of one node.</param>
public sealed class NodeProcess(ScratchFolder scratch, string name, string database, string apiKeyFile, string? sealingKey = null)
    : IAsyncDisposable
{
    /// <summary>How often it looks for later terms in the places of its exports, the shortest that is allowed.</summary>
    public static readonly TimeSpan TermLook = TimeSpan.FromSeconds(5);

    readonly NpgsqlDataSource _database = NpgsqlDataSource.Create(database);
    Process? _node;

    /// <summary>For how many seconds no node must have answered before hosts work by themselves; null for the default.</summary>
    public int? AloneAfterSeconds { get; init; }

    /// <summary>Port of the console; the agents' is the next one.</summary>
    public int Port { get; } = FreePorts.Find(2);

    /// <summary>Its address.</summary>
    public Uri Console => new($"http://127.0.0.1:{Port}/");

    /// <summary>What it has said.</summary>
    public string Log => $"--- {name}\n{(File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(30)) : "")}\n";

    string LogFile => scratch.At($"{name}/node.log");

    /// <summary>Writes its settings file.</summary>
    /// <returns>Its path.</returns>
    public string Settings() => scratch.File($"{name}/appsettings.json", JsonSerializer.Serialize(
        new Dictionary<string, Dictionary<string, string>>
        {
            ["Database"] = new() { ["ConnectionString"] = database },
            ["Console"] = new() { ["Url"] = Console.ToString().TrimEnd('/') },
            ["Agents"] = new()
            {
                ["Url"] = $"https://127.0.0.1:{Port + 1}",
                ["AloneAfterSeconds"] = (AloneAfterSeconds ?? 900).ToString(CultureInfo.InvariantCulture),
            },
            ["Secrets"] = new() { ["KeyFile"] = sealingKey ?? scratch.At($"{name}/sealing.key") },
            ["Node"] = new() { ["Name"] = sealingKey is null ? "" : name },
            ["Bootstrap"] = new() { ["ApiKeyFile"] = apiKeyFile },
            ["ControlPlane"] = new() { ["TermLookSeconds"] = TermLook.TotalSeconds.ToString(CultureInfo.InvariantCulture) },
        }));

    /// <summary>Starts it, in a mount namespace of its own where it is to be cut off from folders later.</summary>
    public void Start(bool ownMounts = false)
    {
        var settings = Settings();
        string[] alone = ownMounts ? ["unshare", "--mount", "--propagation", "private", "--"] : [];
        _node?.Dispose();
        _node = Process.Start(new ProcessStartInfo("sh", ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", LogFile, .. alone,
            PublishedProgram.Path, "console", "--settings", settings])
        { WorkingDirectory = scratch.At(name) })!;
    }

    /// <summary>Takes a folder away from it, as a share is that is not reached any more. Others go on seeing it.</summary>
    public void CutOff(string folder) => Tool.Succeed("nsenter", "-t", _node!.Id.ToString(CultureInfo.InvariantCulture), "-m", "--",
        "mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder);

    /// <summary>Ends it at once.</summary>
    public async Task Kill()
    {
        if (_node is null) return;
        if (!_node.HasExited) _node.Kill();
        await _node.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>A client of its API.</summary>
    public ApiClient Api() => new(Console, Key);

    /// <summary>Plain HTTP with the same key, for routes that the client does not have.</summary>
    public HttpClient Http()
    {
        var http = new HttpClient { BaseAddress = new Uri(Console, "api/v1/") };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Key.Reveal());
        return http;
    }

    Secret Key => Secret.FromText(File.ReadAllText(apiKeyFile).Trim());

    /// <summary>Asks its database one question.</summary>
    public async Task<T> Ask<T>(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Changes something in its database.</summary>
    public async Task Do(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Moves the clock of its database: from now on it is that much later there.</summary>
    public Task Pass(TimeSpan since) => Do("create or replace function clock() returns timestamptz language sql volatile as "
        + string.Create(CultureInfo.InvariantCulture, $"'select clock_timestamp() + interval ''{since.TotalSeconds:0} seconds'''"));

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Kill();
        _node?.Dispose();
        await _database.DisposeAsync();
    }
}
