using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Policies;

/// <summary>Labels and rules against a node: what is found is taken, by whom, and what stays when a rule stops to match.</summary>
public sealed class AssignTests(SchedulerDatabases databases)
{
    static readonly SourceFound Cluster = new(FoundKind.PostgreSql, FilePath.FromText("/var/lib/postgresql/15/main"),
        "PostgreSQL 15, port 5432"),
        Disk = new(FoundKind.BlockDevice, FilePath.FromText("/dev/sdb"), "disk"), Data =
            new(FoundKind.FileSystem, FilePath.FromText("/srv"), "xfs");

    static Task Tell(Fleet fleet, HostId host, params SourceFound[] found) => fleet.Get<RecordInventory>().Handle(Caller.Agent(host),
        new InventoryRequest { Sources = found }, default);

    static Task Label(Fleet fleet, HostId host, params (string Key, string Value)[] labels)
        => fleet.Get<SetHostLabels>().Handle(TestNode.Admin,
        new SetHostLabelsRequest(host, labels.ToDictionary(one => one.Key, one => one.Value)), default);

    static AssignSpec Databases(string hosts, string except = "", AssignMode mode = AssignMode.Protect) => new()
    {
        Mode = mode,
        Rules = [new AssignRule { Kinds = [SourceKind.PostgreSql], Hosts = hosts, ExceptHosts = except }],
    };

    static Task<Policy> Make(Fleet fleet, string name, AssignSpec assign) => fleet.Get<CreatePolicy>().Handle(TestNode.Admin,
        new CreatePolicyRequest { Name = name, Items = [], Assign = assign }, default);

    static async Task<List<string>> Items(Fleet fleet) => [.. (await fleet.Get<ListItems>().Handle(TestNode.Admin, new ListItemsRequest(),
        default))
        .Select(item => $"{item.PolicyName}: {item.Name}")];

    static async Task<List<string>> Matches(Fleet fleet, PolicyId policy)
        => [.. (await fleet.Get<PreviewAssignment>().Handle(TestNode.Admin,
        new PreviewAssignmentRequest(Policy: policy), default)).Things.Select(thing => $"{thing.HostName} {thing.Path} {thing.Fate}")];

    [Fact]
    public async Task What_agents_find_later_is_taken_by_the_rule_that_matches_it_and_backed_up()
    {
        await using var fleet = await Fleet.Start(databases);
        var (berlin, bonn) = (await fleet.AddHost("db-1"), await fleet.AddHost("db-2"));
        await Label(fleet, berlin, ("site", "berlin"));
        await Label(fleet, bonn, ("site", "bonn"));
        await Tell(fleet, bonn, Cluster);
        var policy = await Make(fleet, "Databases of Berlin", Databases("site=berlin", "tier=test"));

        Assert.Equal(0, await fleet.Get<AssignLook>().Run(default));
        await Tell(fleet, berlin, Cluster, Disk, Data);
        var before = await fleet.Get<PreviewAssignment>().Handle(TestNode.Admin, new PreviewAssignmentRequest(Databases("site=berlin")),
            default);
        Assert.Equal(1, await fleet.Get<AssignLook>().Run(default));
        Assert.Equal(0, await fleet.Get<AssignLook>().Run(default));

        Assert.Equal(AssignFate.Lost, before.Things.Single().Fate);   // the older policy with the same conditions takes it
        Assert.Equal(["Databases of Berlin: PostgreSQL in /var/lib/postgresql/15/main on db-1"], await Items(fleet));
        Assert.Equal(["db-1 /var/lib/postgresql/15/main Here"], await Matches(fleet, policy.Id));
        var item = await fleet.OnlyItem();
        Assert.True(item.IsByRule);
        Assert.NotNull(item.Source.Log);
        Assert.Contains(await fleet.Runs(), run => run.Item == item.Id);

        await Label(fleet, bonn, ("site", "berlin"), ("tier", "test"));
        Assert.Equal(0, await fleet.Get<AssignLook>().Run(default));
        await Label(fleet, bonn, ("site", "berlin"));
        Assert.Equal(1, await fleet.Get<AssignLook>().Run(default));
    }

    [Fact]
    public async Task Leaving_a_rule_ends_no_protection_and_retiring_what_a_rule_would_bring_back_is_refused()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("db-1");
        await Label(fleet, host, ("site", "berlin"));
        await Tell(fleet, host, Cluster);
        var policy = await Make(fleet, "Berlin", Databases("site=berlin"));
        await fleet.Get<AssignLook>().Run(default);
        var item = await fleet.OnlyItem();

        var refused = await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<RetireItem>().Handle(TestNode.Admin,
            new RetireItemRequest(item.Id), default));
        await Label(fleet, host);
        await fleet.Get<AssignLook>().Run(default);

        Assert.Equal("item.by_rule", refused.Code);
        Assert.Equal(item.Id, (await fleet.OnlyItem()).Id);
        Assert.Equal(item.Id, (await fleet.Get<PreviewAssignment>().Handle(TestNode.Admin, new PreviewAssignmentRequest(Policy: policy.Id),
            default))
            .Left.Single().Id);
        await fleet.Get<RetireItem>().Handle(TestNode.Admin, new RetireItemRequest(item.Id), default);
        Assert.Equal(0, await fleet.Get<AssignLook>().Run(default));
        Assert.Empty(await Items(fleet));
        Assert.Contains("retired PostgreSQL in", (await fleet.Get<ListPolicyVersions>().Handle(TestNode.Admin,
            new ListPolicyVersionsRequest(policy.Id), default))[0].Remark, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_single_item_and_a_hidden_thing_come_before_every_rule_and_of_two_rules_the_narrower_takes_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("db-1");
        var other = await fleet.AddHost("db-2");
        var third = await fleet.AddHost("db-3");
        await Label(fleet, host, ("site", "berlin"));
        await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Name = "By hand",
            Items = [new NewItem(other, new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql =
                new PostgreSqlSpec { DataFolder = Cluster.Path } })],
        }, default);
        foreach (var one in (HostId[])[host, other, third]) await Tell(fleet, one, Cluster);
        await fleet.Get<HideFound>().Handle(TestNode.Admin, new HideFoundRequest(third, Cluster.Kind, Cluster.Path, "a copy"), default);
        var wide = await Make(fleet, "All", Databases(""));
        var narrow = await Make(fleet, "Berlin", Databases("site=berlin"));

        await fleet.Get<AssignLook>().Run(default);

        Assert.Equal(["Berlin: PostgreSQL in /var/lib/postgresql/15/main on db-1",
            "By hand: PostgreSQL in /var/lib/postgresql/15/main on db-2"],
            await Items(fleet));
        Assert.Equal(["db-1 /var/lib/postgresql/15/main Elsewhere", "db-2 /var/lib/postgresql/15/main Elsewhere",
            "db-3 /var/lib/postgresql/15/main Hidden"], await Matches(fleet, wide.Id));
        Assert.Equal(["db-1 /var/lib/postgresql/15/main Here"], await Matches(fleet, narrow.Id));
    }

    [Fact]
    public async Task What_is_proposed_waits_for_somebody_and_rules_go_through_documents()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("db-1");
        await Tell(fleet, host, Cluster, Data);
        var policy = await Make(fleet, "Proposed", Databases("", mode: AssignMode.Propose));

        Assert.Equal(0, await fleet.Get<AssignLook>().Run(default));
        Assert.Equal(["db-1 /var/lib/postgresql/15/main Proposed"], await Matches(fleet, policy.Id));
        var agreed = await fleet.Get<AgreeAssignment>().Handle(TestNode.Admin, new AgreeAssignmentRequest(policy.Id,
            [new ProposedThing(host, SourceKind.PostgreSql, Cluster.Path)]), default);
        Assert.Single(agreed.Items);

        var yaml = (await fleet.Get<ShowPolicyDocument>().Handle(TestNode.Admin, new ShowPolicyDocumentRequest(policy.Id), default)).Yaml;
        Assert.Contains("items: []\nassign:\n  rules:\n    - kinds:\n        - PostgreSql\n", yaml, StringComparison.Ordinal);
        var applied = await fleet.Get<ApplyPolicies>().Handle(TestNode.Admin, new ApplyPoliciesRequest
        {
            Files = [new DocumentFile("a.yaml", yaml.Replace("mode: Propose", "mode: protect", StringComparison.Ordinal)
                .Replace("        - PostgreSql\n", "        - PostgreSql\n        - Files\n", StringComparison.Ordinal))],
            Prune = true,
        }, default);
        Assert.Equal(["assign.rules", "assign.mode"], applied.Policies[0].Members.Select(change => change.Member));
        Assert.Equal(1, await fleet.Get<AssignLook>().Run(default));
        Assert.Equal(2, (await Items(fleet)).Count);
    }

    [Fact]
    public async Task Labels_come_with_the_host_are_changed_and_refused_where_they_are_none()
    {
        await using var fleet = await Fleet.Start(databases);
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var joined = await fleet.Get<JoinAgent>().Handle(Caller.Anonymous("10.0.0.1"),
            TestNode.JoinRequestOf((await fleet.Node.NewToken()).Token, key)
            with
            { Labels = new Dictionary<string, string> { ["site"] = "berlin" } }, default);

        var host = await fleet.Get<ShowHost>().Handle(TestNode.Admin, new ShowHostRequest(joined.HostId), default);
        Assert.Equal("berlin", host.Labels!["site"]);
        await Label(fleet, joined.HostId, ("site", "bonn"), ("tier", "prod"));
        host = await fleet.Get<ShowHost>().Handle(TestNode.Admin, new ShowHostRequest(joined.HostId), default);
        Assert.Equal(["site=bonn", "tier=prod"], host.Labels!.Select(label => $"{label.Key}={label.Value}").Order(StringComparer.Ordinal));
        await Assert.ThrowsAsync<BadInputException>(() => Label(fleet, joined.HostId, ("host", "web-1")));
        await Assert.ThrowsAsync<BadInputException>(() => Label(fleet, joined.HostId, ("a b", "c")));
    }
}
