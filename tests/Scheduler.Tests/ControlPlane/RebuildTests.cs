using System.Text.Json;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.TestKit;
using Npgsql;

namespace BackupDr.Scheduler.Tests.ControlPlane;

/// <summary>What is exported makes the same control plane again on an empty database, or refuses with the reason.</summary>
public sealed class RebuildTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    [Fact]
    public async Task Each_table_is_exported_or_left_out_for_a_reason()
    {
        await using var database = await databases.New();

        var there = await database.Postgres.Query("select tablename::text as name from pg_tables where schemaname = 'public'", [],
            row => row.Text("name"), NoStop);

        var known = ExportedTables.All.Select(table => table.Name).Concat(ExportedTables.LeftOut.Keys).ToList();
        Assert.Equal(known.Count, known.Distinct().Count());
        Assert.Equal([], there.Where(name => name != "test_skew" && !name.StartsWith("qrtz_", StringComparison.Ordinal)).Except(known));
        Assert.Equal([], known.Except(there));
        Assert.DoesNotContain("", ExportedTables.LeftOut.Values);
    }

    [Fact]
    public async Task A_rebuilt_control_plane_has_the_same_rows_admits_the_same_agents_and_goes_on()
    {
        await using var one = await Exported.Start(databases);
        var joined = await one.Node.Join("db-1");
        var policy = await one.Fleet.ProtectReady(joined.Id, "/srv/data");
        await one.Fleet.Finish(joined.Id, _ => Fleet.Backup());
        await one.Fleet.Finish(joined.Id, _ => Fleet.Drill(ProofResult.Proven));
        var waiting = await one.Fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), NoStop);
        await one.Export();
        var before = await Exported.Rows(one.Node.Db);

        await using var rebuilt = await one.Rebuild();

        var after = await Exported.Rows(rebuilt.Db);
        foreach (var table in before.Keys.Where(table => table is not ("audit" or "chain_head" or "api_key" or "run")))
            Assert.Equal(before[table], after[table]);
        Assert.Equal([], before["run"].Except(after["run"]));   // and one that looks for snapshots taken since
        Assert.Equal(before["audit"], after["audit"][..before["audit"].Count]);   // and one more that says that it was rebuilt
        var state = await rebuilt.Get<ShowControlPlane>().Handle(TestNode.Admin, new ShowControlPlaneRequest(), NoStop);
        Assert.Equal((2, one.Node.Get<RecoveryKey>().Installation), (state.Term, state.Installation));

        // The agent's certificate is good, its waiting run is handed out, and the password of its repository opens.
        using var agent = rebuilt.AgentClient(joined.Certificate);
        var answer = await agent.PostAsync("/agent/v1/lease", TestNode.Json(new LeaseRequest { Slots = 1 }, WireJson.Default.LeaseRequest));
        var leased = JsonSerializer.Deserialize(await answer.Content.ReadAsStringAsync(), WireJson.Default.LeaseAnswer)!.Run!;
        Assert.Equal(waiting.Runs.Single(), leased.RunId);
        Assert.NotEqual("", leased.Job.Repository!.Password);
        var evidence = await rebuilt.Get<ListEvidence>().Handle(TestNode.Admin, new ListEvidenceRequest(), NoStop);
        Assert.True(evidence.ChainIsWhole);

        await rebuilt.Db.Execute("update control_plane set export_due_at = clock()", [], NoStop);
        Assert.Equal(1, await rebuilt.Get<WriteExport>().Run(NoStop));
        Assert.Equal("2-2", (await one.Listed())[0].Split(' ')[0]);
    }

    [Fact]
    public async Task A_hundred_hosts_with_ten_thousand_points_come_back_row_for_row()
    {
        await using var one = await Exported.Start(databases);
        var (hosts, points) = Nightly.IsOn ? (100, 100) : (5, 100);
        for (var at = 0; at < hosts; at++) await one.Fleet.ProtectReady(await one.Fleet.AddHost($"host-{at}"), "/srv/data");
        await one.Node.Db.Execute("""
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup)
            select (lpad(to_hex((extract(epoch from clock() - n * interval '1 day') * 1000)::bigint), 12, '0') || '70008'
                || left(md5(i.id::text || n), 15))::uuid, i.id, i.repository_id, gen_random_uuid(), md5(i.id::text || n) || md5(n::text),
                clock() - n * interval '1 day', clock() - n * interval '1 day', true,
                jsonb_build_object('files', n, 'bytes', n * 1000, 'note', repeat('x', 300))
            from item i, generate_series(1, $1) n
            """, [points], NoStop);
        var from = TimeProvider.System.GetTimestamp();
        await one.Export();
        var exported = TimeProvider.System.GetElapsedTime(from);
        from = TimeProvider.System.GetTimestamp();
        var (exit, error, database) = await one.TryRebuild(await one.Kit(), []);
        var rebuilt = TimeProvider.System.GetElapsedTime(from);

        Assert.Equal((0, ""), (exit, error));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{hosts} hosts, {hosts * points} points: exported in {exported}, rebuilt in {rebuilt}");
        await using var source = NpgsqlDataSource.Create(database);
        var there = await Exported.Rows(new Postgres(source));
        Assert.Equal((await Exported.Rows(one.Node.Db))["recovery_point"], there["recovery_point"]);
        Assert.Equal(hosts * points, there["recovery_point"].Count);
        Assert.Equal(hosts, there["host"].Count);
    }

    [Fact]
    public async Task Only_what_changed_is_stored_again_and_nothing_where_nothing_did()
    {
        await using var one = await Exported.Start(databases);
        var host = await one.Fleet.AddHost();
        await one.Fleet.ProtectReady(host, "/srv/data");
        await one.Export();
        var (parts, entries) = one.Objects();

        await one.Export();
        Assert.Equal((parts, entries), one.Objects());

        await one.Node.Db.Execute("update policy set name = 'Another name'", [], NoStop);
        await one.Export();
        Assert.Equal((parts + 1, entries + 1), one.Objects());

        await one.Node.PassTime(WriteExport.AtLeast);   // the clock alone: its age says that exports work
        await one.Export();
        Assert.Equal(entries + 2, one.Objects().Entries);
        Assert.Equal(["1-3", "1-2", "1-1"], (await one.Listed()).Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public async Task A_place_that_cannot_be_written_is_told_and_catches_up_later()
    {
        await using var one = await Exported.Start(databases);
        var gateway = await one.AddGateway("Far");
        await one.Export();
        Assert.All((await one.State()).Places.Where(place => place.IsExported), place => Assert.NotNull(place.ExportedAt));

        var away = $"{gateway}.away";
        Directory.Move(gateway, away);
        await one.Node.Db.Execute("update policy set name = name", [], NoStop);
        await one.Fleet.AddHost("web-2");
        await one.Export();
        var far = Assert.Single((await one.State()).Places, place => place.Name == "Far");
        Assert.Contains("Mount its disk there", far.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain(await one.Alerts(), alert => alert.Kind == AlertKind.ExportLate);
        await one.Node.PassTime(TimeSpan.FromMinutes(20));
        await one.Export();
        var told = Assert.Single(await one.Alerts(), alert => alert.Kind == AlertKind.ExportLate);
        Assert.Contains("Far: ", told.Title, StringComparison.Ordinal);

        Directory.Move(away, gateway);
        await one.Export();
        Assert.Null(Assert.Single((await one.State()).Places, place => place.Name == "Far").Problem);
        Assert.DoesNotContain(await one.Alerts(), alert => alert.Kind == AlertKind.ExportLate);
        await using var rebuilt = await one.Rebuild(gateway);
        Assert.Equal(1, await rebuilt.Db.Scalar<long>("select count(*) from host where name = 'web-2'", [], NoStop));
    }

    [Fact]
    public async Task A_wrong_key_a_changed_byte_another_signer_and_a_filled_database_are_refused_and_nothing_is_left()
    {
        await using var one = await Exported.Start(databases);
        await one.Fleet.AddHost();
        await one.Export();
        await one.Fleet.AddHost("web-2");
        await one.Export();

        var kit = await one.Kit();
        async Task Refused(string words, string? kitText = null, params string[] more)
        {
            var (exit, error, database) = await one.TryRebuild(kitText ?? kit, more);
            Assert.Equal(1, exit);
            Assert.Contains(words, error, StringComparison.Ordinal);
            await using var source = NpgsqlDataSource.Create(database);
            await using var count = source.CreateCommand("select coalesce(sum(n_live_tup), 0)::bigint from pg_stat_user_tables "
                + "where relname in ('host', 'person', 'control_plane')");
            Assert.Equal(0L, await count.ExecuteScalarAsync());
        }

        var key = Regex.Match(kit, "Recovery key  ([0-9a-f-]+)").Groups[1].Value;
        await Refused("does not open with this recovery key",
            kit.Replace(key, $"{(key[0] == 'a' ? 'b' : 'a')}{key[1..]}", StringComparison.Ordinal));
        await Refused("The recovery key is missing", null, "--recovery-key-file", "/dev/null");
        await Refused("is signed by the key", null, "--signed-by", new string('a', 64));
        await Refused("does not exist", null, "--entry", "1-77");
        await Refused("names no entry", null, "--entry", "newest");
        await Refused("'--fromm' is no argument", null, "--fromm");
        await Refused("there is no such folder", null, "--from", Path.Combine(one.Folder, "nowhere"));

        var newest = Directory.GetFiles(one.Folder, "000001-0000000002", SearchOption.AllDirectories).Single();
        var bytes = await File.ReadAllBytesAsync(newest);
        bytes[^20] ^= 1;
        await File.WriteAllBytesAsync(newest, bytes);
        await Refused("does not open with this recovery key, or was changed");
        Assert.Contains("was changed", (await one.Listed())[0], StringComparison.Ordinal);   // and the list goes on
        var (exit, error, database) = await one.TryRebuild(kit, ["--entry", "1-1"]);
        Assert.Equal((0, ""), (exit, error));

        var again = await one.TryRebuild(kit, ["--entry", "1-1"], database);
        Assert.Equal(1, again.Exit);
        Assert.Contains("is not empty", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_part_leaves_no_row_and_no_term_behind()
    {
        await using var one = await Exported.Start(databases);
        await one.Fleet.AddHost();
        await one.Export();
        var entry = await one.Entry();
        var part = entry.Parts.Last(part => part.Table == "host");
        File.Delete(Path.Combine(one.Folder, ExportNames.Part(entry.Installation, part.Object).Value));

        var (exit, error, database) = await one.TryRebuild(await one.Kit(), []);

        Assert.Equal(1, exit);
        Assert.Contains("there is no such", error, StringComparison.Ordinal);
        await using var source = NpgsqlDataSource.Create(database);
        await using var count = source.CreateCommand("select (select count(*) from sealing_key) + (select count(*) from control_plane)");
        Assert.Equal(0L, await count.ExecuteScalarAsync());
        await using var store = StoreFactory.Open(one.Folder);
        Assert.Equal(0, await Terms.Highest(store, new ExportBox(one.Node.Get<RecoveryKey>().Key), entry.Installation, NoStop));
    }

    [Fact]
    public async Task Of_two_rebuilds_at_once_one_begins_the_term()
    {
        using var folder = new ScratchFolder();
        await using var store = StoreFactory.Open(folder.Path);
        var (installation, box) = (Guid.NewGuid(), new ExportBox(new byte[RecoveryKey.Bytes]));

        await Terms.Begin(store, box, installation, 2, NoStop);

        var second = await Assert.ThrowsAsync<ConflictException>(() => Terms.Begin(store, box, installation, 2, NoStop));
        Assert.Equal("control_plane.term", second.Code);
        await Terms.Begin(store, box, installation, 3, NoStop);
        await store.Put(new ObjectName($"{Terms.Folder(installation)}/000009"), "of somebody without the key"u8.ToArray(), NoStop);
        Assert.Equal(3, await Terms.Highest(store, box, installation, NoStop));
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(100, 100)]
    [InlineData(350, 102)]    // those of 100 and 200
    [InlineData(30_000, 200)]
    public void The_newest_entries_stay_and_some_of_each_day(int entries, int kept)
        => Assert.Equal(kept, ExportSweep.Kept([.. Enumerable.Range(1, entries).Reverse().Select(seq => (1L, (long)seq))]).Count());

    [Fact]
    public async Task What_no_entry_needs_is_deleted_by_the_second_sweep()
    {
        await using var one = await Exported.Start(databases);
        await one.Fleet.AddHost();
        await one.Export();
        var entry = await one.Entry();
        var stray = Path.Combine(one.Folder, ExportNames.Part(entry.Installation, new string('f', 64)).Value);
        await File.WriteAllTextAsync(stray, "of an export that was cut short");

        await one.Node.PassTime(TimeSpan.FromDays(2));
        await one.Export();
        Assert.True(File.Exists(stray));
        await one.Node.PassTime(TimeSpan.FromDays(2));
        await one.Export();
        Assert.False(File.Exists(stray));
        await using var rebuilt = await one.Rebuild();
    }
}
