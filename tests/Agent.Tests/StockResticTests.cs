using BackupDr.Agent.Jobs;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>The unmodified restic program of this host looks through a repository of ours.</summary>
public sealed class StockResticTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<ResticCheck> Look(DrillScenery scenery, string? program, string? password = null)
    {
        using var repository = await scenery.Open(_ct);
        return await new StockRestic(scenery.State, program).Look(repository, new LeasedRun(RunId.New(TimeProvider.System), 1, 30_000,
            new Job
            {
                Kind = JobKind.Check,
                Repository = new RepositoryAccess
                {
                    Id = RepositoryId.New(TimeProvider.System),
                    Url = _scratch.At("repository"),
                    Password = password ?? DrillScenery.Words,
                    Variables = new Dictionary<string, string>(),
                },
            }), _scratch.At("repository"), scenery.Reporter, _ct);
    }

    string[] Files() => [.. Directory.GetFiles(_scratch.At("repository"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    async Task<DrillScenery> Stored()
    {
        var scenery = new DrillScenery(_scratch.At("repository"), _scratch.At("state"));
        _scratch.File("source/file", "here\n");
        await scenery.Store(_scratch.At("source"));
        return scenery;
    }

    [Fact]
    public async Task It_says_that_a_sound_one_is_and_names_what_is_missing_in_a_damaged_one()
    {
        Tool.Need("restic", "restic");
        var scenery = await Stored();
        var before = Files();

        var sound = await Look(scenery, StockRestic.Find());

        Assert.Equal((null, 0), (sound.Problem, sound.Errors.Count));
        Assert.Matches(@"^0\.\d+\.\d+", sound.Version);
        Assert.Equal(before, Files());
        Assert.Empty(Directory.EnumerateFileSystemEntries(scenery.State.SandboxFolder));

        var pack = Directory.GetFiles(_scratch.At("repository/data"), "*", SearchOption.AllDirectories)[0];
        File.Delete(pack);
        var damaged = await Look(scenery, StockRestic.Find());

        Assert.Null(damaged.Problem);
        Assert.Contains(damaged.Errors, error => error.Contains(Path.GetFileName(pack)[..8], StringComparison.Ordinal));
        Assert.Contains("check.restic", scenery.Reporter.Take([]).Events.Select(line => line.Code));
    }

    [Fact]
    public async Task Where_it_is_absent_or_cannot_look_that_is_told_and_is_no_damage()
    {
        Tool.Need("restic", "restic");
        var scenery = await Stored();

        Assert.Equal((null, "restic is not installed on this host."), await Look(scenery, null) is var absent
            ? (absent.Version, absent.Problem) : default);

        var refused = await Look(scenery, StockRestic.Find(), password: "another one");
        Assert.Equal("Fatal: wrong password or no key found", refused.Problem);
        Assert.Empty(refused.Errors);
    }
}
