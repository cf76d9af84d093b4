using BackupDr.Agent.Requests;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class OpenRepositoriesTests
{
    const string Password = "a password";

    static readonly string NoSuchSnapshot = new('5', 64);

    [Fact]
    public async Task A_repository_whose_way_has_changed_is_opened_anew()
    {
        using var scratch = new ScratchFolder();
        using var password = Secret.FromText(Password);
        using (await Repository.Init(StoreFactory.Open(scratch.At("former")), password, new RepositoryOptions(), default)) { }
        using var open = new OpenRepositories(new AgentStores(null!), TimeProvider.System);   // a folder needs nobody's certificate
        var access = new RepositoryAccess { Id = RepositoryId.New(TimeProvider.System), Url = scratch.At("former"), Password = Password };

        var before = await Assert.ThrowsAnyAsync<BackupDrException>(()
            => open.List(access, NoSuchSnapshot, FilePath.FromText("/"), default));
        Directory.Move(scratch.At("former"), scratch.At("present"));
        File.Delete(scratch.At("present/config"));
        var after = await Assert.ThrowsAnyAsync<BackupDrException>(()
            => open.List(access with { Url = scratch.At("present") }, NoSuchSnapshot, FilePath.FromText("/"), default));

        Assert.NotEqual(before.Code, after.Code);   // the one has no such snapshot; the other was looked at again, and is none
    }
}
