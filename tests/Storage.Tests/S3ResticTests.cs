using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>The unmodified restic program works on what we put into a bucket, and we on what it puts there.</summary>
public sealed class S3ResticTests(S3Server server) : IDisposable
{
    const string Password = "a password";
    static readonly CancellationToken None = CancellationToken.None;

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_repository_that_we_made_is_checked_and_continued_by_restic_and_still_opens()
    {
        Tool.Need("restic", "restic");
        var url = (await server.NewBucket("a/b")).ToString();
        using var password = Secret.FromText(Password);
        using (await Repository.Init(StoreFactory.Open(url, S3Server.Options()), password, new RepositoryOptions(), None)) { }
        _scratch.File("source/note", "words");
        var restic = S3Server.Keys;
        (restic["RESTIC_PASSWORD"], restic["RESTIC_CACHE_DIR"]) = (Password, _scratch.At("cache"));

        var backup = Tool.Run("restic", ["-r", url, "backup", _scratch.At("source")], restic);
        var check = Tool.Run("restic", ["-r", url, "check", "--read-data"], restic);

        Assert.True(backup.ExitCode == 0, backup.Errors);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        using var again = await Repository.Open(StoreFactory.Open(url, S3Server.Options()), password, new RepositoryOptions(), None);
        Assert.Single(await again.Store.List("snapshots", None).ToListAsync(None));
    }
}
