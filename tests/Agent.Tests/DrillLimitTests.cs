using System.Security.Cryptography;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>A drill fills no disk and lasts no longer than it may.</summary>
public sealed class DrillLimitTests : IDisposable
{
    const int Disk = 128, Reserve = 64;   // MiB

    readonly ScratchFolder _scratch = new();
    Mount? _disk;

    public void Dispose()
    {
        _disk?.Dispose();
        _scratch.Dispose();
    }

    DrillScenery Scenery()
    {
        _disk = Mount.Memory(_scratch.At("state"), $"size={Disk}m");
        return new DrillScenery(_scratch.At("repository"), _scratch.At("state"));
    }

    Task<DrillJob> Stored(DrillScenery scenery, int megabytes)
    {
        File.WriteAllBytes(Path.Combine(_scratch.Folder("source"), "noise"), RandomNumberGenerator.GetBytes(megabytes << 20));
        return scenery.Store(_scratch.At("source"));
    }

    [Theory]
    [InlineData(100L << 20, 64L << 20)]
    [InlineData(20L << 30, 1L << 30)]
    [InlineData(4L << 40, 20L << 30)]
    public void A_twentieth_of_the_disk_stays_free_within_bounds(long size, long reserve)
        => Assert.Equal(reserve, DrillSpace.ReserveOf(size));

    [Fact]
    public async Task What_does_not_fit_beside_the_reserve_is_refused_with_figures_before_it_begins()
    {
        var scenery = Scenery();
        var job = await Stored(scenery, megabytes: Disk - Reserve + 1);

        var drill = await scenery.Drill(job);

        Assert.Equal((ProofResult.Skipped, true), (drill.Result, drill.HadNoRoom));
        Assert.StartsWith($"{scenery.State.SandboxFolder} has {Disk} MiB free; the restore takes {Disk - Reserve + 1} MiB, and {Reserve} "
            + "MiB must stay free.", drill.Reason, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(scenery.State.SandboxFolder));
    }

    [Fact]
    public async Task One_that_runs_is_stopped_when_the_disk_fills_under_the_reserve()
    {
        var scenery = Scenery();
        var job = await Stored(scenery, megabytes: 20);

        var drill = await scenery.Drill(job, DrillScenery.Endless(
            () => File.WriteAllBytes(Path.Combine(scenery.State.Folder, "another"), new byte[(Disk - Reserve - 10) << 20])));

        Assert.Equal((ProofResult.Skipped, true), (drill.Result, drill.HadNoRoom));
        // Somewhere amid the other's writing.
        Assert.Matches($@"^It was stopped: {scenery.State.SandboxFolder} had \d+ MiB free, and {Reserve} MiB must stay free\.",
            drill.Reason);
        Assert.Empty(Directory.EnumerateFileSystemEntries(scenery.State.SandboxFolder));
        Assert.Contains("drill.space", scenery.Reporter.Take([]).Events.Select(line => line.Code));
    }

    [Fact]
    public async Task One_that_takes_too_long_is_stopped_and_failed()
    {
        var scenery = new DrillScenery(_scratch.At("repository"), _scratch.At("state"));
        var job = await Stored(scenery, megabytes: 1);

        var drill = await scenery.Drill(job with { Limit = TimeSpan.FromSeconds(2) }, DrillScenery.Endless());

        Assert.Equal((ProofResult.Failed, "It was not finished within 2 s.", false), (drill.Result, drill.Reason, drill.HadNoRoom));
        Assert.Empty(Directory.EnumerateFileSystemEntries(scenery.State.SandboxFolder));
    }

    [Fact]
    public async Task One_that_needs_all_its_room_and_time_and_has_it_is_proven()
    {
        var scenery = Scenery();
        var job = await Stored(scenery, megabytes: Disk - Reserve - 1);

        var drill = await scenery.Drill(job with { Limit = TimeSpan.FromMinutes(2) });

        Assert.Equal(ProofResult.Proven, drill.Result);
    }
}
