using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Secrets;

/// <summary>The sealing key is exchanged while nodes go on.</summary>
public sealed class RotationTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), LookEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>A node of its own machine: its key file is its own.</summary>
    Task<TestNode> Start(string name, TestNode? shared = null)
    {
        var file = shared is null ? null : Path.Combine(shared.Folder, $"{name}.key");
        if (file is not null && !File.Exists(file)) File.Copy(FileOf(shared!), file);
        return TestNode.Start(databases, settings => settings with
        {
            Node = settings.Node with { Name = name },
            Secrets = file is null ? settings.Secrets : new SecretsOptions { KeyFile = file },
        }, shared);
    }

    static string FileOf(TestNode node) => node.Get<SecretsOptions>().KeyFile;

    static async Task Until(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await isSo()) await Task.Delay(LookEvery, late.Token);
    }

    static Task<SecretRotation> Show(TestNode node)
        => node.Get<ShowSecretRotation>().Handle(TestNode.Admin, new ShowSecretRotationRequest(), NoStop);

    /// <summary>Takes the exchange on until it is at a step; the loops of the nodes rest here.</summary>
    static Task To(TestNode node, RotationStep step) => Until(async () =>
    {
        await node.PassTime(SealingRotation.Margin);
        return await node.Get<SealingRotation>().Run(NoStop) == step || (await Show(node)).Step == step;
    });

    static Task<Location> AddLocation(TestNode node, string name) => node.Get<CreateLocation>().Handle(TestNode.Admin,
        new CreateLocationRequest
        {
            Name = name,
            Kind = LocationKind.S3,
            Address = $"s3:https://far.example.org/{name}",
            Credentials = new StoreCredentials { AccessKey = "AKIA", SecretKey = $"secret of {name}" },
        }, NoStop);

    static async Task<string?> SecretOf(TestNode node, LocationId id)
        => (await node.Get<LocationSecrets>().Find(node.Db, id, NoStop)).Credentials?.SecretKey;

    static Task<int> AddChannels(TestNode node, int count, SealedSecrets secrets)
    {
        var rows = Enumerable.Range(0, count).Select(_ => Guid.CreateVersion7()).ToList();
        return node.Db.Execute("""
            insert into channel (id, name, kind, settings, secret_sealed)
            select id, 'channel ' || id, 'Webhook', '{}'::jsonb, box from unnest($1, $2) as made(id, box)
            """, [rows.ToArray(), rows.Select(id => secrets.SealAlone("channel", new ChannelId(id).ToString(), "secret", "{}"u8))
                .ToArray()], NoStop);
    }

    [Fact]
    public async Task All_values_are_sealed_anew_while_two_nodes_go_on_and_the_former_key_opens_nothing_any_more()
    {
        await using var one = await Start("one");
        await using var two = await Start("two", one);
        await Until(async () => (await one.Get<ListNodes>().Handle(TestNode.Admin, new ListNodesRequest(), NoStop)).Count == 2);
        var before = (await AddLocation(one, "before")).Id;
        var former = await File.ReadAllBytesAsync(FileOf(one));
        Assert.Equal((RotationStep.None, 0L), await Show(one) is var rest ? (rest.Step, rest.Remaining) : default);

        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);   // the same one goes on
        await To(one, RotationStep.Switch);
        Assert.All([one, two], node => Assert.Equal(2 * former.Length, new FileInfo(FileOf(node)).Length));
        var meanwhile = (await AddLocation(two, "meanwhile")).Id;
        Assert.Equal("secret of meanwhile", await SecretOf(one, meanwhile));
        await To(two, RotationStep.Renewal);
        var renewed = (await AddLocation(one, "renewed")).Id;
        Assert.Equal("secret of before", await SecretOf(two, before));
        await To(one, RotationStep.None);
        await Until(() => Task.FromResult(new FileInfo(FileOf(one)).Length == former.Length
            && new FileInfo(FileOf(two)).Length == former.Length));

        Assert.Equal(await File.ReadAllBytesAsync(FileOf(one)), await File.ReadAllBytesAsync(FileOf(two)));
        Assert.NotEqual(former, await File.ReadAllBytesAsync(FileOf(one)));
        foreach (var (id, name) in new[] { (before, "before"), (meanwhile, "meanwhile"), (renewed, "renewed") })
            foreach (var node in new[] { one, two }) Assert.Equal($"secret of {name}", await SecretOf(node, id));
        foreach (var column in SealedColumn.All)
            foreach (var (key, box) in await column.After(one.Db, null, NoStop))
                Assert.Null(SealingKeys.Open(former, $"{column.Table}|{column.RowOf(key)}|{column.SealedAs}", box));
        var audit = await one.Db.Query("select actor, action from audit where action like 'secret.%' order by seq", [],
            row => (row.Text("actor"), row.Text("action")), NoStop);
        Assert.Equal([("key:test", "secret.rotate"), ("system:secrets", "secret.rotated")], audit);
    }

    [Fact]
    public async Task A_node_that_had_only_the_former_key_does_not_start_and_says_what_to_do()
    {
        string folder;
        await using (var one = await Start("one"))
        {
            folder = one.Folder;
            await Until(async () => (await one.Get<ListNodes>().Handle(TestNode.Admin, new ListNodesRequest(), NoStop)).Count == 1);
            File.Copy(FileOf(one), Path.Combine(folder, "late.key"));
            await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
            await To(one, RotationStep.None);

            var e = await Assert.ThrowsAsync<BadInputException>(() => Start("late", one));

            Assert.Contains("not the one that sealed", e.Message, StringComparison.Ordinal);
            Assert.Contains("copy it from another node", e.Hint, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_node_that_is_silent_holds_it_up_by_name_until_it_is_forgotten()
    {
        await using var one = await Start("one");
        await one.Db.Execute("insert into node (instance, name, version, roles, agents_url, console_url, last_seen_at) values "
            + "(gen_random_uuid(), 'dead', '1', '{Api}', '', '', clock() - interval '1 hour')", [], NoStop);
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        await Until(async () => (await Show(one)).WaitsFor is ["dead"]);
        await one.PassTime(SealingRotation.Margin);

        Assert.Equal(RotationStep.HandOver, await one.Get<SealingRotation>().Run(NoStop));
        await one.Get<RemoveNode>().Handle(TestNode.Admin, new RemoveNodeRequest("dead"), NoStop);
        await To(one, RotationStep.None);
    }

    [Fact]
    public async Task Killed_in_the_middle_it_goes_on_where_it_was()
    {
        await using var first = await Start("one");
        await AddChannels(first, 2 * SealedColumn.Batch + 50, first.Get<SealedSecrets>());
        await first.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        await To(first, RotationStep.Renewal);
        await first.Get<SealingRotation>().Renew(SealedColumn.All.Count, NoStop);   // the last column is the channels': one batch of it
        var half = await Show(first);
        await first.App.StopAsync(NoStop);

        await using var again = await TestNode.Start(databases, settings => settings with
        {
            Node = settings.Node with { Name = "one" },
        }, first);
        var found = await Show(again);
        await To(again, RotationStep.None);

        Assert.True(half is { Sealed: > 0, Remaining: > 0 }, $"{half.Sealed} of {half.Remaining}");
        Assert.Equal((half.Sealed, half.Remaining), (found.Sealed, found.Remaining));
        Assert.Equal(half.Sealed + half.Remaining, (await Show(again)).Sealed);
    }

    [Fact]
    public async Task A_node_joins_and_an_entry_is_rebuilt_in_the_middle_of_it()
    {
        await using var one = await Start("one");
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        await To(one, RotationStep.Renewal);
        var keys = Convert.FromBase64String(one.Get<SealedSecrets>().KeyText());
        var box = one.Get<SealedSecrets>().SealAlone("t", "r", "c", "x"u8);
        await File.WriteAllBytesAsync(Path.Combine(one.Folder, "two.key"), keys);
        File.SetUnixFileMode(Path.Combine(one.Folder, "two.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);

        await using var two = await Start("two", one);

        Assert.Equal(2 * KeyFile.Bytes, keys.Length);
        Assert.Equal("x"u8, two.Get<SealedSecrets>().Open("t", "r", "c", box));
        foreach (var key in keys.Chunk(KeyFile.Bytes))
            Assert.Equal("y"u8, SealedSecrets.With(key, SealingKeys.Fingerprint(key)).Open("t", "r", "c",
                SealedSecrets.With(keys, SealingKeys.Fingerprint(key)).SealAlone("t", "r", "c", "y"u8)));
    }

    [Fact]
    public async Task The_key_that_is_retired_takes_no_row_with_it_that_was_written_at_the_last_moment()
    {
        await using var one = await Start("one");
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        var late = one.Get<SealedSecrets>();
        await AddChannels(one, 1, late);
        await To(one, RotationStep.Renewal);
        await one.Get<SealingRotation>().Renew(int.MaxValue, NoStop);
        await using (var writer = await one.Db.Begin(NoStop))
        {
            await writer.Execute("update channel set name = 'being written'", [], NoStop);
            await one.PassTime(SealingRotation.Margin);
            Assert.Equal(RotationStep.Renewal, await one.Get<SealingRotation>().Run(NoStop));   // waits for the writer, briefly
            await writer.Commit(NoStop);
        }

        Assert.Equal(RotationStep.None, await one.Get<SealingRotation>().Run(NoStop));
    }

    [Fact]
    public async Task Whoever_is_held_up_between_sealing_and_writing_holds_the_exchange_up_and_nothing_is_lost()
    {
        await using var one = await Start("one");
        var (secrets, rotation) = (one.Get<SealedSecrets>(), one.Get<SealingRotation>());
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        await Until(async () => (await Show(one)).WaitsFor.Count == 0);
        async Task<ChannelId> Write(RotationStep stays)
        {
            var id = new ChannelId(Guid.CreateVersion7());
            await using var writer = await one.Db.Begin(NoStop);
            var box = (await secrets.InUse(writer, NoStop)).Seal("channel", id.ToString(), "secret", "{}"u8);
            for (var i = 0; i < 3; i++)
            {
                await one.PassTime(SealingRotation.Margin);   // held up for longer than each step takes
                Assert.Equal(stays, await rotation.Run(NoStop));
            }
            await writer.Execute("insert into channel (id, name, kind, settings, secret_sealed) values ($1, $2, 'Webhook', '{}', $3)",
                [id, id.ToString(), box], NoStop);
            await writer.Commit(NoStop);
            return id;
        }

        var all = new List<ChannelId> { await Write(RotationStep.HandOver) };
        await To(one, RotationStep.Switch);
        await Until(async () => (await Show(one)).WaitsFor.Count == 0);
        all.Add(await Write(RotationStep.Switch));
        await To(one, RotationStep.Renewal);
        all.Add(await Write(RotationStep.Renewal));
        await To(one, RotationStep.None);

        await Until(() => Task.FromResult(new FileInfo(FileOf(one)).Length == KeyFile.Bytes));
        foreach (var id in all)
        {
            var box = await one.Db.Scalar<byte[]>("select secret_sealed from channel where id = $1", [id], NoStop);
            Assert.Equal("{}"u8, secrets.Open("channel", id.ToString(), "secret", box));
        }
    }

    [Fact]
    public async Task A_key_of_form_tokens_is_stored_with_the_key_in_use_at_each_step()
    {
        await using var one = await Start("one");
        var ring = one.Get<KeyRing>();
        ring.StoreElement(new System.Xml.Linq.XElement("before"), "before");
        await one.Get<RotateSecrets>().Handle(TestNode.Admin, new RotateSecretsRequest(), NoStop);
        foreach (var step in (RotationStep[])[RotationStep.Switch, RotationStep.Renewal, RotationStep.None])
        {
            await To(one, step);
            ring.StoreElement(new System.Xml.Linq.XElement($"at-{step}"), $"at-{step}");
        }

        Assert.Superset(new HashSet<string> { "before", "at-Switch", "at-Renewal", "at-None" },
            ring.GetAllElements().Select(element => element.Name.LocalName).ToHashSet());
    }

    [Fact]
    public async Task Every_sealed_column_of_the_schema_is_in_the_list()
    {
        await using var database = await databases.New();
        var columns = await database.Postgres.Query("""
            select table_name || '.' || column_name as name from information_schema.columns
            where table_schema = current_schema() and data_type = 'bytea' and column_name like '%sealed'
            """, [], row => row.Text("name"), NoStop);

        Assert.Equal(columns.Except(["sealing_key.next_sealed"]).Order(),
            SealedColumn.All.Select(column => $"{column.Table}.{column.Column}").Order());
    }
}
