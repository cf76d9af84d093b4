using System.Globalization;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>Real processes of ours and of the stock program on one repository at once: no snapshot may lose anything.</summary>
public sealed class ManyAtOnceTests : IDisposable
{
    const int Writers = 4;

    // Ten minutes in the nightly run.
    static readonly TimeSpan Duration = Environment.GetEnvironmentVariable("BACKUPDR_NIGHTLY") == "1" ? TimeSpan.FromMinutes(10)
        : TimeSpan.FromSeconds(10);

    readonly ScratchFolder _scratch = new();
    readonly long _begun = TimeProvider.System.GetTimestamp();
    readonly List<string> _surprises = [];

    public void Dispose() => _scratch.Dispose();

    bool IsOver => TimeProvider.System.GetElapsedTime(_begun) > Duration;

    [Fact]
    public async Task Writers_a_pruner_and_stock_programs_do_not_hurt_each_other()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        var restic = new ResticCli(repository, BackupdrProgram.Password, _scratch.At("cache"));
        int[] done = await Task.WhenAll([
            .. Enumerable.Range(0, Writers).Select(writer => Repeat(round => Backup(repository, writer, round))),
            Repeat(_ => Prune(repository)),
            Repeat(_ => Stock(restic, "restore", "latest", "--target", _scratch.At("restored"))),
            Repeat(round => StockBackup(restic, round)),
        ]);

        Assert.Empty(_surprises);
        Assert.All(done[..(Writers + 1)], count => Assert.True(count > 0));
        BackupdrProgram.Succeed("prune", "--repo", repository, "--max-unused", "0");
        BackupdrProgram.Succeed("check", "--read-data", "--repo", repository);
        restic.Check();
        var left = BackupdrProgram.Succeed("snapshots", "--repo", repository, "--json");
        using var snapshots = JsonDocument.Parse(left);
        Assert.InRange(snapshots.RootElement.GetArrayLength(), Writers, int.MaxValue);
        Assert.Empty(Directory.GetFiles(Path.Combine(repository, "locks")));
    }

    /// <summary>One after another until the time is over, at least once; gives how many times it went well.</summary>
    Task<int> Repeat(Func<int, bool> work) => Task.Run(() =>
    {
        var done = 0;
        for (var round = 0; round == 0 || !IsOver; round++)
            if (work(round)) done++;
        return done;
    });

    bool Must(string who, ToolResult result)
    {
        if (result.ExitCode == 0) return true;
        lock (_surprises) _surprises.Add($"{who} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        return false;
    }

    string Folder(string who, int round)
    {
        var noise = new byte[200_000];
        new Random(round % 3).NextBytes(noise);   // what was there before comes again, so that blobs are wanted back
        var folder = _scratch.Folder(who);
        File.WriteAllBytes(Path.Combine(folder, "noise"), noise);
        File.WriteAllText(Path.Combine(folder, "round"), round.ToString(CultureInfo.InvariantCulture));
        return folder;
    }

    bool Backup(string repository, int writer, int round)
        => Must($"writer {writer}", BackupdrProgram.Run("backup", "--repo", repository, "--quiet", Folder($"data-{writer}", round)));

    bool Prune(string repository)
        => Must("prune", BackupdrProgram.Run("forget", "--repo", repository, "--keep-last", "1", "--prune", "--max-unused", "0"));

    bool StockBackup(ResticCli restic, int round) => Stock(restic, "backup", Folder("data-stock", round));

    /// <summary>
    /// The stock program may be told that the repository is locked, find nothing yet, or meet a snapshot that is forgotten while it lists
    /// them; nothing else.
    /// </summary>
    bool Stock(ResticCli restic, params string[] arguments)
    {
        var result = restic.Run(arguments);
        var isRefused = result.Errors.Contains("locked", StringComparison.Ordinal)
            || result.Errors.Contains("no snapshot found", StringComparison.OrdinalIgnoreCase)
            || (result.Errors.Contains("snapshot", StringComparison.Ordinal)
                && result.Errors.Contains("no such file or directory", StringComparison.Ordinal));
        return result.ExitCode == 0 || (!isRefused && Must($"restic {arguments[0]}", result));
    }
}
