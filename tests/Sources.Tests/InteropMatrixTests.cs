using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Sources.Tests;

/// <summary>The stock program and we write one repository in turns, ten times, and each restores what the other wrote.</summary>
public sealed class InteropMatrixTests : IDisposable
{
    const int Rounds = 10;
    const string Password = "a shared password";
    static readonly CancellationToken None = CancellationToken.None;
    static readonly FsDiffOptions WithoutHoles = new() { CompareHoles = false };   // restic 0.14 has no sparse restore

    readonly ScratchFolder _scratch = new();
    readonly FilePath _source;

    public InteropMatrixTests() => _source = FilePath.FromText(_scratch.Folder("source"));

    public void Dispose() => _scratch.Dispose();

    ResticCli Restic(string repository) => new(_scratch.At(repository), Password, _scratch.At("cache"));

    [Theory]
    [InlineData("auto", true)]
    [InlineData("off", false)]
    public async Task Each_side_restores_checks_lists_tags_and_copies_what_the_other_wrote(string compression, bool isOurs)
    {
        var restic = Restic("repository");
        OddTree.Make(_source, seed: compression.Length, forStockRestic: true);
        if (!isOurs) restic.Succeed("init");
        using var repository = isOurs ? await Init() : await Open("repository");
        var snapshots = new List<string>();

        for (var round = 0; round < Rounds; round++)
        {
            Change(round);
            var byUs = round % 2 == 0 == isOurs;
            snapshots.Add(byUs ? await Backup(repository) : Backup(restic, compression));
            if (byUs) AssertRestoredBy(restic, snapshots[^1]);
            else await AssertRestoredByUs(repository, snapshots[^1]);
        }

        Assert.Equal(snapshots, restic.Snapshots().Select(listed => listed.GetProperty("id").GetString()));
        Assert.Equal(snapshots, (await repository.Snapshots(SnapshotFilter.All, None)).Select(listed => listed.Id.ToString()));
        restic.Check();
        Assert.Empty((await RepositoryCheck.Execute(repository, readData: true, null, None)).Errors);
        foreach (var id in snapshots.TakeLast(2)) await AssertListedAlike(repository, restic, id);
        AssertCompared(restic, snapshots);
        await AssertTagged(repository, restic, snapshots[^2]);
        await AssertCopied(restic, snapshots[^1]);
    }

    /// <summary>What a working day does to a folder: files grow, come, go, move, and change their metadata only.</summary>
    void Change(int round)
    {
        var random = new Random(round);
        var bytes = new byte[300_000 * (1 + round % 4)];
        random.NextBytes(bytes);
        Directory.CreateDirectory(_scratch.At("source/day"));
        File.WriteAllBytes(_scratch.At($"source/day/new-{round}"), bytes);
        File.AppendAllText(_scratch.At("source/day/log"), string.Concat(Enumerable.Repeat($"line of round {round}\n", 20_000)));
        if (round == 0) return;
        File.Move(_scratch.At($"source/day/new-{round - 1}"), _scratch.At($"source/day/moved-{round - 1}"));
        File.SetUnixFileMode(_scratch.At($"source/day/moved-{round - 1}"), UnixFileMode.UserRead | UnixFileMode.OtherExecute);
        Tool.Succeed("ln", _scratch.At($"source/day/new-{round}"), _scratch.At($"source/day/link-{round}"));
        if (round > 2) File.Delete(_scratch.At($"source/day/moved-{round - 3}"));
    }

    void AssertRestoredBy(ResticCli restic, string id)
    {
        restic.Succeed("restore", id, "--target", _scratch.At("restored"));
        Assert.Empty(FsDiff.Compare(_source, FilePath.FromText(_scratch.At("restored") + _source), WithoutHoles));
        Tool.Succeed("rm", "-rf", _scratch.At("restored"));
    }

    async Task AssertRestoredByUs(Repository repository, string id)
    {
        var snapshot = await repository.FindSnapshot(id, SnapshotFilter.All, None);
        using (var target = FileTarget.Open(FilePath.FromText(_scratch.At("restored")), OverwritePolicy.Never))
            Assert.Empty((await RestoreRun.Execute(repository, snapshot, default, [], target, null, None)).Failed);
        Assert.Empty(FsDiff.Compare(_source, FilePath.FromText(_scratch.At("restored") + _source)));
        Tool.Succeed("rm", "-rf", _scratch.At("restored"));
    }

    static async Task AssertListedAlike(Repository repository, ResticCli restic, string id)
    {
        // Names that are no UTF-8 are written differently in the two texts, sizes and kinds are not.
        var theirs = restic.Succeed("ls", "--json", id).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line =>
        {
            using var node = JsonDocument.Parse(line);
            var size = node.RootElement.TryGetProperty("size", out var bytes) ? bytes.GetUInt64() : 0;
            return $"{node.RootElement.GetProperty("type").GetString()} {size} {node.RootElement.GetProperty("uid").GetUInt32()}";
        });
        var ours = new List<string>();
        var browser = await TreeBrowser.Open(repository, None);
        await foreach (var (_, node) in browser.Walk(await repository.FindSnapshot(id, SnapshotFilter.All, None), default, None))
            ours.Add($"{node.Type.ToString().ToLowerInvariant()} {node.SizeBytes} {node.Uid}");

        Assert.Equal(theirs.Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
    }

    /// <summary>restic compares one of its snapshots with one of ours and sees what was changed, and nothing else.</summary>
    static void AssertCompared(ResticCli restic, List<string> snapshots)
    {
        var changes = restic.Succeed("diff", snapshots[^2], snapshots[^1]).Split('\n')
            .Where(line => line.Length > 2 && line[0] is '+' or '-' or 'M' && line[1] == ' ')
            .Select(line => $"{line[0]} {Path.GetFileName(line[1..].TrimEnd('/'))}");

        Assert.Equal(["+ link-9", "+ moved-8", "+ new-9", "- moved-6", "- new-8", "M log"], changes.Order(StringComparer.Ordinal));
    }

    static async Task AssertTagged(Repository repository, ResticCli restic, string id)
    {
        restic.Succeed("tag", "--add", "kept", id);

        var tagged = Assert.Single(await repository.Snapshots(new SnapshotFilter { Tags = ["kept"] }, None));

        Assert.Equal(id, tagged.Original.ToString());
        Assert.Equal(Rounds, (await repository.Snapshots(SnapshotFilter.All, None)).Count);
    }

    async Task AssertCopied(ResticCli restic, string id)
    {
        var copy = Restic("copy");
        var from = _scratch.File("from-password", Password);
        copy.Succeed("init");
        copy.Succeed("copy", "--from-repo", _scratch.At("repository"), "--from-password-file", from, id);
        copy.Check();
        using var copied = await Open("copy");

        await AssertRestoredByUs(copied, "latest");
        Assert.Equal(Rounds, restic.Snapshots().Count);
    }

    string Backup(ResticCli restic, string compression)
    {
        restic.Succeed("backup", "--host", "oracle", "--compression", compression, _source.ToString());
        return restic.Snapshots()[^1].GetProperty("id").GetString()!;
    }

    async Task<string> Backup(Repository repository)
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [_source] });
        var summary = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "oracle" }, null, None);
        Assert.Empty(summary.Missing);
        return summary.SnapshotId.ToString();
    }

    async Task<Repository> Init()
    {
        using var password = Secret.FromText(Password);
        var options = new RepositoryOptions { Kdf = new KdfCost(1024, 8, 1) };
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password, options, None);
    }

    async Task<Repository> Open(string repository)
    {
        using var password = Secret.FromText(Password);
        return await Repository.Open(StoreFactory.Open(_scratch.At(repository)), password, new RepositoryOptions(), None);
    }
}
