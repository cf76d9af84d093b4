using System.Net;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Gateway;

public sealed class GatewayTests(SchedulerDatabases databases)
{
    static readonly CancellationToken None = CancellationToken.None;

    static (ObjectName Name, byte[] Content) Pack(int seed, int length = 5_000)
    {
        var content = new byte[length];
        new Random(seed).NextBytes(content);
        var id = Convert.ToHexStringLower(SHA256.HashData(content));
        return (new ObjectName($"data/{id[..2]}/{id}"), content);
    }

    static async Task<StoreException> Fails(Func<Task> work) => await Assert.ThrowsAsync<StoreException>(work);

    [Fact]
    public async Task Once_a_later_control_plane_has_begun_it_is_read_and_takes_nothing()
    {
        await using var rig = await GatewayRig.Start(databases);
        await using var store = rig.Open();
        var ((name, content), (other, more)) = (Pack(1), Pack(2));
        await store.Put(name, content, None);

        await rig.Node.Get<TermFence>().Learn(2, "a test", None);

        var refused = await Fails(() => store.Put(other, more, None));
        Assert.Contains("term 2 of this installation has begun", refused.Message, StringComparison.Ordinal);
        Assert.Equal((long)content.Length, (await store.Head(name, None))?.SizeBytes);
        Assert.Null(await store.Head(other, None));
    }

    [Fact]
    public async Task Stock_restic_makes_fills_checks_and_restores_a_repository_through_it_and_cannot_forget()
    {
        await using var rig = await GatewayRig.Start(databases);
        rig.Scratch.File("source/note", "words");
        rig.Scratch.File("source/large", new string('x', 3 << 20));
        var restic = await rig.Restic();

        restic.Succeed("init");
        var snapshot = restic.Backup(rig.Scratch.At("source"));
        restic.Backup(rig.Scratch.At("source"));
        restic.Check();
        restic.Succeed("restore", snapshot, "--target", rig.Scratch.At("restored"));
        var forget = restic.Run("forget", snapshot);

        Assert.Equal("words", await File.ReadAllTextAsync(rig.Scratch.At("restored") + rig.Scratch.At("source/note"), None));
        Assert.Contains("403", forget.Errors + forget.Output, StringComparison.Ordinal);
        Assert.Equal(2, restic.Snapshots().Count);
        new ResticCli(rig.RepositoryFolder, rig.Access.Password, rig.Scratch.At("cache-2")).Check();
        var refused = Assert.Single(await rig.Node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), None) is { } page
            ? page.Entries.Where(entry => entry.Action == "gateway.delete_refused") : []);
        Assert.Equal($"user:{rig.Access.Id}", refused.Actor);
    }

    [Fact]
    public async Task Stock_restic_and_our_program_write_through_it_in_turn()
    {
        await using var rig = await GatewayRig.Start(databases);
        var restic = await rig.Restic();
        void Ours(params IEnumerable<string> arguments)
        {
            var environment = new Dictionary<string, string>
            {
                ["BACKUPDR_PASSWORD"] = rig.Access.Password,
                ["BACKUPDR_CACHE_DIR"] = rig.Scratch.At("our-cache"),
            };
            var done = Tool.Run(PublishedProgram.Path,
                [.. arguments, "--repo", restic.Repository, "--cacert", rig.Scratch.At("authority.pem")], environment);
            Assert.True(done.ExitCode == 0, $"{string.Join(' ', arguments)}: {done.Output}{done.Errors}");
        }

        Ours("repo", "init");
        for (var turn = 0; turn < 4; turn++)
        {
            rig.Scratch.File("source/note", $"turn {turn}");
            if (turn % 2 == 0) restic.Backup(rig.Scratch.At("source"));
            else Ours("backup", rig.Scratch.At("source"));
        }

        restic.Check();
        Ours("check", "--read-data");
        Assert.Equal(4, restic.Snapshots().Count);
        restic.Succeed("restore", "latest", "--target", rig.Scratch.At("theirs"));
        Ours("restore", "latest", "--target", rig.Scratch.At("ours"));
        foreach (var target in (string[])["theirs", "ours"])
            Assert.Equal("turn 3", await File.ReadAllTextAsync(rig.Scratch.At(target) + rig.Scratch.At("source/note"), None));
    }

    [Fact]
    public async Task A_wrong_password_opens_nothing_and_a_removed_user_neither()
    {
        await using var rig = await GatewayRig.Start(databases);
        var wrong = (await rig.Restic("wrong")).Run("snapshots");
        var removed = await rig.Restic();
        await rig.Node.Get<RemoveGatewayUser>().Handle(TestNode.Admin, new RemoveGatewayUserRequest(rig.Access.Id), None);

        Assert.NotEqual(0, wrong.ExitCode);
        Assert.Contains("401", wrong.Errors, StringComparison.Ordinal);
        Assert.NotEqual(0, removed.Run("snapshots").ExitCode);
    }

    [Fact]
    public async Task A_user_and_an_agent_reach_their_own_repository_only()
    {
        await using var rig = await GatewayRig.Start(databases);
        var other = await rig.Node.Join("web-2");
        var foreign = await rig.NewRepository(other.Id);
        var user = await rig.Node.Get<CreateGatewayUser>().Handle(TestNode.Admin, new CreateGatewayUserRequest(rig.Access.Id), None);
        await using var mine = rig.Open();
        await using var theirs = rig.Open(foreign.Url);
        await mine.Put(new ObjectName("config"), new byte[10], None);

        var e = await Fails(() => theirs.Put(new ObjectName("config"), new byte[10], None));
        using var byUser = new HttpRequestMessage(HttpMethod.Head, $"/gateway/{foreign.Id}/config");
        byUser.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.User}:{user.Password}")));
        using var byNobody = new HttpRequestMessage(HttpMethod.Head, $"/gateway/{rig.Access.Id}/config");

        Assert.Equal(StoreFault.Denied, e.Fault);
        Assert.False(Directory.Exists(Path.Combine(rig.Folder, other.Id.ToString())));
        Assert.Equal(HttpStatusCode.Forbidden, (await rig.Node.AgentClient().SendAsync(byUser, None)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await rig.Node.AgentClient().SendAsync(byNobody, None)).StatusCode);
    }

    [Fact]
    public async Task Another_host_reaches_a_repository_while_it_runs_a_job_on_it()
    {
        await using var rig = await GatewayRig.Start(databases);
        var other = await rig.Node.Join("web-2");
        await using var store = rig.Open(certificate: other.Certificate);
        Assert.Equal(StoreFault.Denied, (await Fails(() => store.Head(new ObjectName("config"), None))).Fault);

        await rig.Node.Db.Execute("""
            insert into run (id, kind, state, title, host_id, repository_id, requested_by, job, lease_until)
            values ($1, 'Restore', 'Running', 'a restore', $2, $3, 'test', '{}', clock() + interval '1 minute')
            """, [RunId.New(TimeProvider.System), other.Id, rig.Access.Id], None);

        Assert.Null(await store.Head(new ObjectName("config"), None));
    }

    [Fact]
    public async Task An_object_whose_name_is_not_its_hash_is_refused_and_leaves_nothing()
    {
        await using var rig = await GatewayRig.Start(databases);
        await using var store = rig.Open();
        var (name, content) = Pack(1);
        content[77] ^= 1;

        var e = await Fails(() => store.Put(name, content, None));

        Assert.Equal(StoreFault.Unusable, e.Fault);
        Assert.Contains("SHA-256", e.Message, StringComparison.Ordinal);
        Assert.Null(await store.Head(name, None));
    }

    [Fact]
    public async Task Nothing_is_deleted_but_locks_and_nothing_is_written_but_what_restic_knows()
    {
        await using var rig = await GatewayRig.Start(databases);
        await using var store = rig.Open();
        var (pack, content) = Pack(1);
        var note = new ObjectName("x-backupdr/gc/marks/" + pack.LastSegment);
        var held = new ObjectName($"locks/{pack.LastSegment}");
        await store.Put(pack, content, None);
        await store.Put(held, content, None);

        var deleted = await Fails(() => store.Delete(pack, None));
        var written = await Fails(() => store.Put(note, content, None));

        Assert.Equal((StoreFault.Denied, StoreFault.Denied), (deleted.Fault, written.Fault));
        Assert.Contains("node's machine", deleted.Hint, StringComparison.Ordinal);
        Assert.True(await store.Delete(held, None));
        Assert.Equal([pack.Value], (await store.List("", None).ToListAsync(None)).Select(found => found.Name.Value));
    }

    [Fact]
    public async Task A_put_repeated_by_a_stock_client_is_done_and_one_with_a_condition_hears_that_it_exists()
    {
        await using var rig = await GatewayRig.Start(databases);
        await using var store = rig.Open();
        var (name, content) = Pack(1);
        await store.Put(name, content, None);
        var client = rig.Node.AgentClient(rig.Host.Certificate);

        var again = await client.PostAsync(new Uri($"/gateway/{rig.Access.Id}/data/{name.LastSegment}", UriKind.Relative),
            new ByteArrayContent(content), None);
        var e = await Fails(() => store.Put(name, content, None));

        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(StoreFault.Exists, e.Fault);
    }

    [Fact]
    public async Task A_repository_at_its_quota_takes_locks_and_nothing_else()
    {
        await using var rig = await GatewayRig.Start(databases, quotaBytes: 1 << 20);
        await using var store = rig.Open();
        var first = Pack(1, 900_000);
        var second = Pack(2, 200_000);
        await store.Put(first.Name, first.Content, None);

        var e = await Fails(() => store.Put(second.Name, second.Content, None));
        await store.Put(new ObjectName($"locks/{second.Name.LastSegment}"), second.Content, None);

        Assert.Equal(StoreFault.Full, e.Fault);
        Assert.Contains("quota", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_without_the_folders_disk_serves_nothing_instead_of_an_empty_repository()
    {
        await using var rig = await GatewayRig.Start(databases);
        File.Delete(Path.Combine(rig.Folder, "x-backupdr", "location"));
        await using var store = rig.Open();

        var e = await Fails(() => store.Head(new ObjectName("config"), None));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("Mount its disk", e.Hint, StringComparison.Ordinal);
        Assert.False(Directory.Exists(rig.RepositoryFolder));
    }

    [Fact]
    public async Task A_folder_belongs_to_one_location()
    {
        await using var rig = await GatewayRig.Start(databases);

        var e = await Assert.ThrowsAsync<ConflictException>(() => rig.Node.Get<CreateLocation>().Handle(TestNode.Admin,
            new CreateLocationRequest { Name = "Again", Kind = LocationKind.Gateway, Path = FilePath.FromText(rig.Folder) }, None));

        Assert.Equal("gateway.folder_taken", e.Code);
        Assert.Single(await rig.Node.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), None));
    }

    [Fact]
    public async Task A_store_that_is_open_while_its_hosts_certificate_is_renewed_goes_on()
    {
        await using var rig = await GatewayRig.Start(databases);
        var current = rig.Host.Certificate;
        await using var store = new Storage.Layers.RetryingStore(rig.Open(() => current), new Storage.Layers.RetryOptions(),
            new HurriedTime());
        await store.Put(new ObjectName("config"), new byte[10], None);

        current = await rig.Renew();
        Assert.Equal(10, (await store.Head(new ObjectName("config"), None))!.Value.SizeBytes);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_by_its_stated_length()
    {
        await using var rig = await GatewayRig.Start(databases);
        var client = rig.Node.AgentClient(rig.Host.Certificate);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/gateway/{rig.Access.Id}/data/{Pack(1).Name.LastSegment}")
        {
            Content = new ByteArrayContent([]),
        };
        request.Content.Headers.ContentLength = GatewayUploads.LargestBytes + 1;

        // The answer may be overtaken by the broken connection of a body that never comes.
        HttpResponseMessage? answer = null;
        try { answer = await client.SendAsync(request, None); }
        catch (HttpRequestException) { /* that is the broken connection */ }

        Assert.True(answer is null or { StatusCode: HttpStatusCode.BadRequest });
        Assert.False(Directory.Exists(rig.RepositoryFolder));
    }
}
