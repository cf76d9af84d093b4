using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

public sealed class RepositoryTests(SchedulerDatabases databases)
{
    static Task<Location> Create(TestNode node, string name, string path, HostId? host = null) => node.Get<CreateLocation>()
        .Handle(TestNode.Admin, new CreateLocationRequest { Name = name, Path = FilePath.FromText(path), Host = host }, default);

    static async Task<RepositoryId> For(TestNode node, LocationId location, HostId host)
    {
        await using var tx = await node.Db.Begin(default);
        var id = await node.Get<RepositoryTable>().For(tx, location, host, default);
        await tx.Commit(default);
        return id;
    }

    [Fact]
    public async Task Asking_again_for_the_same_location_gives_the_one_that_is_there()
    {
        await using var node = await TestNode.Start(databases);

        var first = await Create(node, "NAS", "/srv//backups/./");
        var again = await Create(node, "nas", "/srv/backups");
        var other = await Assert.ThrowsAsync<ConflictException>(() => Create(node, "NAS", "/srv/others"));

        Assert.Equal("/srv/backups", first.Path.ToString());
        Assert.Equal(first.Id, again.Id);
        Assert.Equal("location.exists", other.Code);
    }

    [Theory]
    [InlineData("relative/path")]
    [InlineData("/")]
    [InlineData("/srv/../etc")]
    public async Task A_folder_that_cannot_hold_repositories_is_refused(string path)
    {
        await using var node = await TestNode.Start(databases);

        Assert.Equal("path", (await Assert.ThrowsAsync<BadInputException>(() => Create(node, "NAS", path))).Field);
    }

    [Fact]
    public async Task A_repository_lies_in_the_folder_of_its_host_and_is_made_once()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var location = await Create(node, "NAS", "/srv/backups");

        var id = await For(node, location.Id, host.Id);
        var again = await For(node, location.Id, host.Id);

        Assert.Equal(id, again);
        var summary = Assert.Single(await node.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), default));
        Assert.Equal($"/srv/backups/{host.Id}", summary.Url);
        Assert.Equal(RepositoryState.Pending, summary.State);
    }

    [Fact]
    public async Task A_folder_of_another_machine_is_refused_with_the_reason()
    {
        await using var node = await TestNode.Start(databases);
        var (owner, other) = (await node.Join("nas"), await node.Join("web-1"));
        var location = await Create(node, "NAS", "/srv/backups", owner.Id);
        await using var tx = await node.Db.Begin(default);

        var e = await Assert.ThrowsAsync<BadInputException>(() => node.Get<RepositoryTable>().Choose(tx, location.Id, other.Id, default));

        Assert.Contains("belongs to one machine", e.Message, StringComparison.Ordinal);
        Assert.Equal(location.Id, await node.Get<RepositoryTable>().Choose(tx, null, owner.Id, default));
        Assert.NotEqual(location.Id, await node.Get<RepositoryTable>().Choose(tx, null, other.Id, default));
    }

    [Fact]
    public async Task A_password_is_sealed_in_the_database_and_shown_only_with_an_entry_in_the_audit()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var id = await For(node, (await Create(node, "NAS", "/srv/back ups")).Id, host.Id);

        var escape = await node.Get<RevealRepositoryPassword>().Handle(TestNode.Admin, new RevealRepositoryPasswordRequest(id), default);

        Assert.Equal($"restic -r '/srv/back ups/{host.Id}' --password-file FILE restore latest --target DIR", escape.Command);
        var stored = await node.Db.Scalar<byte[]>("select password_sealed from repository", [], default);
        Assert.Equal(-1, stored.AsSpan().IndexOf(Encoding.UTF8.GetBytes(escape.Password)));
        var audit = await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default);
        Assert.Equal(("repository.reveal", id.ToString()), (audit.Entries[0].Action, audit.Entries[0].Object));
        Assert.DoesNotContain(audit.Entries, entry => entry.Detail.Contains(escape.Password, StringComparison.Ordinal));
    }
}
