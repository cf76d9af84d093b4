using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Tests.Access;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Policies;

/// <summary>Files do nothing that a page would leave to a second person, or refuse to somebody with a part of the fleet.</summary>
public sealed class ApplyFourEyesTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    static string Shop(string items)
        => $"apiVersion: backupdr/v1\nkind: Policy\nname: Shop\nitems:\n{items}spec: {{ rpo: 12h, schedule: {{ every: 6h }} }}\n";

    static string Item(string files) => $"  - host: web-1\n    source: {{ kind: Files, files: {{ {files} }} }}\n";

    static Task<PoliciesApplied> Apply(Fleet fleet, Caller caller, string text, bool prune = false, bool dry = false)
        => fleet.Get<ApplyPolicies>().Handle(caller, new ApplyPoliciesRequest
        {
            Files = [new DocumentFile("shop.yaml", text)],
            Prune = prune,
            DryRun = dry,
        }, NoStop);

    [Theory]
    [InlineData("an item is retired", "paths: [/srv/shop]", true)]
    [InlineData("a folder is taken no more", "paths: [/srv/shop]|paths: [/srv/mail]", false)]
    [InlineData("more is left out", "paths: [/srv/shop], excludes: ['*.db']|paths: [/srv/mail, /srv/news]", false)]
    [InlineData("other file systems are left out", "paths: [/srv/shop], oneFileSystem: true|paths: [/srv/mail, /srv/news]", false)]
    public async Task What_a_page_leaves_to_a_second_person_files_do_not_do(string what, string items, bool prune)
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        var ann = await fleet.Node.Person("ann", new RoleGrant("Admin"));
        await fleet.Node.Person("bob", new RoleGrant("Admin"));
        await Apply(fleet, ann, Shop(Item("paths: [/srv/shop]") + Item("paths: [/srv/mail, /srv/news]")));
        await fleet.Get<SetFourEyes>().Handle(ann, new SetFourEyesRequest(true), NoStop);
        var before = await Sources(fleet);
        var text = Shop(string.Concat(items.Split('|').Select(Item)));

        foreach (var dry in new[] { true, false })
        {
            var e = await Record.ExceptionAsync(() => Apply(fleet, ann, text, prune, dry));

            // What names no item any more leaves it as it is, unless it is pruned.
            if (e is null) Assert.Equal("a folder is taken no more", what);
            else Assert.Equal("approval.not_by_file", Assert.IsType<ConflictException>(e).Code);
        }
        Assert.All(before, source => Assert.Contains(source, Sources(fleet).Result));
    }

    static async Task<List<string>> Sources(Fleet fleet) => await fleet.Node.Db.Query(
        "select source::text as source from item where retired_at is null order by 1", [], row => row.Text("source"), NoStop);

    [Theory]
    [InlineData("/a /b", "/b /a", "", "", false, 0)]
    [InlineData("/a", "/a /b", "", "", false, 0)]
    [InlineData("/a", "/a", "*.o", "", false, 0)]
    [InlineData("/a /b", "/b", "", "", false, 1)]
    [InlineData("/a", "/a", "", "*", false, 1)]
    [InlineData("/a", "/b", "", "*", true, 3)]
    public void A_source_that_takes_less_is_told_from_one_that_takes_more(string before, string after, string leftOut, string leavesOut,
        bool oneFileSystem, int ways)
    {
        static SourceSpec Of(string paths, string excludes, bool one) => new()
        {
            Files = new FilesSpec
            {
                Paths = [.. paths.Split(' ').Select(FilePath.FromText)],
                Excludes = excludes.Length == 0 ? [] : [excludes],
                OneFileSystem = one,
            },
        };

        Assert.Equal(ways, Weakening.Of(Of(before, leftOut, false), Of(after, leavesOut, oneFileSystem)).Count);
    }

    [Fact]
    public async Task Whoever_writes_policies_of_a_part_of_the_fleet_applies_no_files_and_protects_no_host_outside()
    {
        await using var fleet = await Fleet.Start(databases);
        var inside = await fleet.AddHost();
        var outside = await fleet.AddHost("db-1");
        await fleet.Get<SetHostLabels>().Handle(TestNode.Admin,
            new SetHostLabelsRequest(inside, new Dictionary<string, string> { ["env"] = "prod" }), NoStop);
        var writer = await fleet.Node.Person("carol", new RoleGrant("PolicyAdmin", "label=env=prod"));
        Task<Policy> Protect(HostId host) => fleet.Get<CreatePolicy>().Handle(writer, new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv")] } })],
        }, NoStop);

        var files = await Assert.ThrowsAsync<DeniedException>(() => Apply(fleet, writer, Shop(Item("paths: [/srv/shop]"))));
        var page = await Assert.ThrowsAsync<DeniedException>(() => Protect(outside));

        Assert.Contains("only for label=env=prod", files.Message, StringComparison.Ordinal);
        Assert.Contains("only for label=env=prod", page.Message, StringComparison.Ordinal);
        Assert.Single((await Protect(inside)).Items);
    }
}
