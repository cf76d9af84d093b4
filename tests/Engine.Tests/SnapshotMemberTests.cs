using System.Text;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Members of a snapshot that a later program invented, and which snapshots a filter means.</summary>
public sealed class SnapshotMemberTests
{
    static readonly CancellationToken None = CancellationToken.None;

    [Fact, Clause("F-7.1")]
    public async Task Members_that_we_do_not_know_survive_a_change_of_tags_and_a_copy()
    {
        using var scratch = new ScratchFolder();
        var (store, other) = (new MemoryStore(), new MemoryStore());
        var options = Prepared.Options with { Clock = new HurriedTime(DateTimeOffset.UtcNow) };
        using var repository = await Prepared.Init(store, options);
        using var copied = await Prepared.Init(other, options);
        await Prepared.Backup(repository, Prepared.Folder(scratch));
        var first = Assert.Single(await repository.Snapshots(SnapshotFilter.All, None));
        const string invented = """{"delete":{"after":"2030-01-01T00:00:00Z"},"level":[1,-2.5e3,null,"\u00e9\n"]}""";
        var json = Encoding.UTF8.GetString(SnapshotFile.Write(first));
        json = $"{json[..^1]},\"x-invented\":{invented},\"a \\\"name\\\"\":\"mine\"}}";
        await repository.WriteUnpacked(ObjectLayout.Snapshots, Encoding.UTF8.GetBytes(json), None);
        var later = Assert.Single(await repository.Snapshots(SnapshotFilter.All, None), snapshot => snapshot.Id != first.Id);

        var (_, tagged) = Assert.Single(await SnapshotTags.Execute(repository, [later.Id], new TagChange(null, ["kept"], []), None));
        var stored = Assert.Single(await repository.Snapshots(new SnapshotFilter { Tags = ["kept"] }, None));
        await SnapshotCopy.Execute(repository, copied, [stored], _ => { }, None);

        Assert.Equal(tagged.Id, stored.Id);
        foreach (var kept in (Snapshot[])[stored, Assert.Single(await copied.Snapshots(SnapshotFilter.All, None))])
        {
            Assert.Equal(["x-invented", "a \"name\""], kept.Others.Select(member => member.Key));
            Assert.Contains($"\"x-invented\":{invented},\"a \\\"name\\\"\":\"mine\"",
                Encoding.UTF8.GetString(SnapshotFile.Write(kept)), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "", "1 2 3 4")]
    [InlineData("a", "", "1 2")]
    [InlineData("a|b", "", "1 2 3")]
    [InlineData("", "x", "1 2 3")]
    [InlineData("", "x,y", "2")]
    [InlineData("", "x,y|z", "2 3")]
    [InlineData("", "none", "4")]
    [InlineData("a", "z", "")]
    public void Hosts_and_lists_of_tags_choose_as_in_restic(string hosts, string tags, string expected)
    {
        static Snapshot Make(int second, string host, params string[] tags)
            => new() { Time = new UnixTime(second, 0), Tree = default, HostName = host, Tags = tags };
        Snapshot[] all = [Make(1, "a", "x"), Make(2, "a", "x", "y"), Make(3, "b", "x", "z"), Make(4, "c")];
        var filter = new SnapshotFilter
        {
            HostNames = hosts.Split('|', StringSplitOptions.RemoveEmptyEntries),
            Tags = [.. tags.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(list => list == "none" ? "" : list)],
        };

        Assert.Equal(expected, string.Join(' ', all.Where(filter.Fits).Select(snapshot => snapshot.Time.Seconds)));
    }
}
