using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage.Folder;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

/// <summary>Our keep rules and those of the stock program, on the same snapshots.</summary>
public sealed class ForgetTests : IDisposable
{
    const string Password = "twelve characters";
    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<Repository> Repository(int snapshots)
    {
        var random = new Random(1);
        var store = new FolderStore(FilePath.FromText(_scratch.At("repository")), TimeProvider.System);
        var repository = await Engine.Repository.Init(store, Secret.FromText(Password),
            Prepared.Options with { Kdf = new KdfCost(1024, 8, 1) }, _ct);
        var tree = (await Prepared.Backup(repository, _scratch.Folder("source"))).TreeId;
        await store.Delete(ObjectLayout.Of(ObjectLayout.Snapshots, (await repository.Snapshots(SnapshotFilter.All, _ct))[0].Id), _ct);
        var time = new DateTimeOffset(2025, 12, 31, 23, 59, 0, TimeSpan.Zero);
        for (var at = 0; at < snapshots; at++)
        {
            var longest = random.Next(3) switch { 0 => 50, 1 => 3_000, _ => 40_000 };
            time -= TimeSpan.FromMinutes(random.Next(1, longest));
            await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(new Snapshot
            {
                Time = UnixTime.From(time),
                Tree = tree,
                Paths = [random.Next(2) == 0 ? "/a" : "/b"],
                HostName = random.Next(3) == 0 ? "one" : "two",
                Tags = random.Next(5) switch { 0 => ["x"], 1 => ["x", "y"], _ => [] },
            }), _ct);
        }
        return repository;
    }

    [Fact]
    public async Task Rules_keep_what_stock_restic_keeps_for_the_same_reasons()
    {
        using var repository = await Repository(200);
        var snapshots = await repository.Snapshots(SnapshotFilter.All, _ct);
        var restic = new ResticCli(_scratch.At("repository"), Password, _scratch.At("cache"));
        var cases = new (string[] Flags, KeepRules Rules, SnapshotGrouping Grouping)[]
        {
            (["--keep-last", "3"], new() { Last = 3 }, SnapshotGrouping.Host | SnapshotGrouping.Paths),
            (["--keep-hourly", "9", "--group-by", ""], new() { Hourly = 9 }, SnapshotGrouping.None),
            (["--keep-daily", "12", "--keep-weekly", "8", "--group-by", "host"], new() { Daily = 12, Weekly = 8 }, SnapshotGrouping.Host),
            (["--keep-monthly", "14", "--keep-yearly", "3", "--group-by", "tags"], new() { Monthly = 14, Yearly = 3 },
                SnapshotGrouping.Tags),
            (["--keep-within", "1m3d5h", "--group-by", "paths"], new() { Within = new(0, 1, 3, 5) }, SnapshotGrouping.Paths),
            (["--keep-within-weekly", "1y2m", "--keep-within-daily", "20d", "--group-by", ""],
                new()
                {
                    WithinEach = new Dictionary<KeepUnit, RetentionSpan>
                    {
                        [KeepUnit.Weekly] = new(1, 2, 0, 0),
                        [KeepUnit.Daily] = new(0, 0, 20, 0),
                    },
                },
                SnapshotGrouping.None),
            (["--keep-tag", "x,y", "--keep-last", "1"], new() { Tags = [["x", "y"]], Last = 1 },
                SnapshotGrouping.Host | SnapshotGrouping.Paths),
            (["--keep-hourly", "5", "--keep-daily", "7", "--keep-weekly", "5", "--keep-monthly", "12", "--keep-yearly", "75"],
                new() { Hourly = 5, Daily = 7, Weekly = 5, Monthly = 12, Yearly = 75 }, SnapshotGrouping.Host | SnapshotGrouping.Paths),
        };
        foreach (var (flags, rules, grouping) in cases)
        {
            var plan = Forget.Plan(snapshots, rules, grouping, TimeProvider.System.GetUtcNow());
            var ours = plan.SelectMany(group => group.Snapshots).Where(judged => judged.Verdict.Keeps)
                .Select(judged => $"{judged.Snapshot.Id} {string.Join("; ", judged.Verdict.Reasons.Order(StringComparer.Ordinal))}");

            using var theirs = JsonDocument.Parse(restic.Succeed(["forget", "--dry-run", "--json", .. flags]));
            var expected = theirs.RootElement.EnumerateArray().SelectMany(group => group.GetProperty("reasons").EnumerateArray())
                .Select(reason => $"{IdOf(reason.GetProperty("snapshot"), snapshots)} " + string.Join("; ",
                    reason.GetProperty("matches").EnumerateArray().Select(match => match.GetString()!).Order(StringComparer.Ordinal)));
            Assert.Equal(expected.Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
            Assert.Equal(theirs.RootElement.GetArrayLength(), plan.Count);
        }
    }

    /// <summary>The stock program names no id beside a reason; times are unique here.</summary>
    static string IdOf(JsonElement snapshot, IReadOnlyList<Snapshot> all)
    {
        var time = UnixTime.From(DateTimeOffset.Parse(snapshot.GetProperty("time").GetString()!, CultureInfo.InvariantCulture));
        return Assert.Single(all, found => found.Time == time).Id.ToString();
    }

    [Fact]
    public async Task Removed_are_the_named_ones_and_no_lock_is_left()
    {
        using var repository = await Repository(5);
        var snapshots = await repository.Snapshots(SnapshotFilter.All, _ct);

        Assert.Equal(2, await Forget.Remove(repository, [snapshots[1].Id, snapshots[3].Id], _ct));

        Assert.Equal([snapshots[0].Id, snapshots[2].Id, snapshots[4].Id],
            (await repository.Snapshots(SnapshotFilter.All, _ct)).Select(snapshot => snapshot.Id));
        Assert.Equal(0, await Forget.Remove(repository, [snapshots[1].Id], _ct));
        new ResticCli(_scratch.At("repository"), Password, _scratch.At("cache")).Check();
    }
}
