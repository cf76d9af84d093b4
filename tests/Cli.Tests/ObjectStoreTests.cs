using BackupDr.Contracts;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Trees;

[assembly: AssemblyFixture(typeof(S3Server))]
[assembly: AssemblyFixture(typeof(AzuriteServer))]

namespace BackupDr.Cli.Tests;

/// <summary>The life of a repository in an object store, by the program alone; its objects, laid into a folder by their names, are a
/// repository for stock restic.</summary>
public sealed class ObjectStoreTests(S3Server s3, AzuriteServer azurite) : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_repository_in_a_bucket_lives_by_the_program_alone()
        => await Life((await s3.NewBucket("hosts/one")).ToString(), S3Server.Keys, S3Server.Options());

    [Fact]
    public async Task A_repository_in_a_container_lives_by_the_program_alone()
        => await Life((await azurite.NewContainer("hosts/one")).ToString(), azurite.Keys, azurite.Options("azure.access-tier=Cool"),
            "-o", "azure.access-tier=Cool");

    [Fact]
    public async Task Both_programs_write_a_bucket_in_turn_and_each_reads_what_the_other_wrote()
    {
        var url = (await s3.NewBucket("hosts/both")).ToString();
        var keys = S3Server.Keys;
        (keys["BACKUPDR_PASSWORD"], keys["BACKUPDR_CACHE_DIR"]) = (BackupdrProgram.Password, _scratch.At("cache"));
        var source = Source();
        void Ours(params IEnumerable<string> arguments)
        {
            var result = BackupdrProgram.Run(keys, [.. arguments, "--repo", url]);
            Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.Output}{result.Errors}");
        }
        var restic = new ResticCli(url, BackupdrProgram.Password, _scratch.At("restic-cache"));
        void Theirs(params IEnumerable<string> arguments)
        {
            var result = restic.Run(S3Server.Keys, arguments);
            Assert.True(result.ExitCode == 0, $"restic {string.Join(' ', arguments)}: {result.Output}{result.Errors}");
        }

        Theirs("init");
        for (var turn = 0; turn < 4; turn++)
        {
            _scratch.File("source/turn", $"{turn}");
            _scratch.File($"source/of-turn-{turn}", new string((char)('a' + turn), 100_000));
            if (turn % 2 == 0) Theirs("backup", source); else Ours("backup", source);
            if (turn == 1) Ours("forget", "--keep-last", "1", "--prune", "--max-unused", "0");
            if (turn == 2) Theirs("forget", "--keep-last", "2", "--prune");
        }

        Theirs("check", "--read-data");
        Ours("check", "--read-data");
        Theirs("restore", "latest", "--target", _scratch.At("theirs"));
        Ours("restore", $"latest:{source}", "--target", _scratch.At("ours"));
        var options = new FsDiffOptions { CompareRoots = false };
        Assert.Empty(FsDiff.Compare(FilePath.FromText(source), FilePath.FromText(_scratch.At("ours")), options));
        Assert.Empty(FsDiff.Compare(FilePath.FromText(source), FilePath.FromText(_scratch.At("theirs") + source), options));
    }

    async Task Life(string url, Dictionary<string, string> keys, StoreOptions options, params string[] more)
    {
        var source = Source();
        keys["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        keys["BACKUPDR_CACHE_DIR"] = _scratch.At("cache");
        string Succeed(params IEnumerable<string> arguments)
        {
            var result = BackupdrProgram.Run(keys, [.. arguments, "--repo", url, .. more]);
            Assert.True(result.ExitCode == 0,
                $"{string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Output}{result.Errors}");
            return result.Output;
        }

        Succeed("repo", "init");
        Assert.Contains("already", BackupdrProgram.Run(keys, ["repo", "init", "--repo", url]).Errors, StringComparison.Ordinal);
        Succeed("backup", source);
        File.Delete(_scratch.At("source/large"));
        _scratch.File("source/new", "new words");
        Succeed("backup", source);
        Succeed("restore", $"latest:{source}", "--target", _scratch.At("restored"));
        Succeed("forget", "--keep-last", "1", "--prune", "--max-unused", "0");
        Succeed("check", "--read-data");

        Assert.Empty(FsDiff.Compare(FilePath.FromText(source), FilePath.FromText(_scratch.At("restored")),
            new FsDiffOptions { CompareRoots = false }));
        await CopyByName(url, options);
        var restic = new ResticCli(_scratch.At("copy"), BackupdrProgram.Password, _scratch.At("restic-cache"));
        restic.Check();
        Assert.Single(restic.Snapshots());
    }

    string Source()
    {
        var noise = new byte[20 << 20];
        new Random(7).NextBytes(noise);
        _scratch.File("source/deep/words", string.Join('\n', Enumerable.Range(0, 5_000)));
        File.WriteAllBytes(_scratch.At("source/large"), noise);
        File.WriteAllBytes(_scratch.At("source/deep/noise"), noise[..3_000_000]);
        return _scratch.At("source");
    }

    async Task CopyByName(string url, StoreOptions options)
    {
        foreach (var folder in (string[])["data", "index", "keys", "locks", "snapshots"]) _scratch.Folder($"copy/{folder}");
        await using var store = StoreFactory.Open(url, options);
        await foreach (var found in store.List("", None))
        {
            var content = new byte[found.SizeBytes];
            await store.Read(found.Name, 0, content, None);
            var path = _scratch.At($"copy/{found.Name}");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, content, None);
        }
    }
}
