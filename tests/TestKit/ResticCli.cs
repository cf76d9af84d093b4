using System.Text.Json;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>The unmodified restic program on one repository: the oracle of what the format means.</summary>
public sealed class ResticCli
{
    readonly string _repository;
    readonly string[] _options;
    readonly Dictionary<string, string> _environment;

    /// <summary>Skips the test where restic is not installed. The options stand in front of each command.</summary>
    public ResticCli(string repository, string password, string cacheFolder, params string[] options)
    {
        Tool.Need("restic", "restic");
        (_repository, _options) = (repository, options);
        // UTC: restic writes times in the local zone, and the zone is part of a tree's id.
        _environment = new() { ["RESTIC_PASSWORD"] = password, ["RESTIC_CACHE_DIR"] = cacheFolder, ["TZ"] = "UTC" };
    }

    /// <summary>The repository's address.</summary>
    public string Repository => _repository;

    /// <summary>Runs restic.</summary>
    public ToolResult Run(params IEnumerable<string> arguments)
        => Tool.Run("restic", ["-r", _repository, .. _options, .. arguments], _environment);

    /// <summary>Runs restic with more variables in its environment.</summary>
    public ToolResult Run(Dictionary<string, string> environment, params IEnumerable<string> arguments)
        => Tool.Run("restic", ["-r", _repository, .. _options, .. arguments], _environment.Concat(environment).ToDictionary());

    /// <summary>Runs restic, which must succeed.</summary>
    public string Succeed(params IEnumerable<string> arguments)
    {
        var all = arguments.ToList();
        var result = Run(all);
        Assert.True(result.ExitCode == 0, $"restic {string.Join(' ', all)} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        return result.Output;
    }

    /// <summary>Checks everything: structure and every byte.</summary>
    public void Check() => Succeed("check", "--read-data");

    /// <summary>A backup; answers with the new snapshot's id.</summary>
    public string Backup(params IEnumerable<string> paths)
    {
        var output = Succeed(["backup", "--json", .. paths]);
        var last = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Last(line
            => line.Contains("\"summary\"", StringComparison.Ordinal));
        using var summary = JsonDocument.Parse(last);
        return summary.RootElement.GetProperty("snapshot_id").GetString()!;
    }

    /// <summary>The snapshots as restic lists them, oldest first.</summary>
    public IReadOnlyList<JsonElement> Snapshots()
    {
        using var list = JsonDocument.Parse(Succeed("snapshots", "--json"));
        return [.. list.RootElement.EnumerateArray().Select(e => e.Clone())];
    }
}
