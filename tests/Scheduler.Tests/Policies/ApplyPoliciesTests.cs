using System.Net;
using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Scheduler.Tests.Retention;

namespace BackupDr.Scheduler.Tests.Policies;

/// <summary>Documents against a node: what they make, change and take away, what a dry run promises, and the versions that stay.</summary>
public sealed class ApplyPoliciesTests(SchedulerDatabases databases)
{
    const string Head = "apiVersion: backupdr/v1\nkind: Policy\n";

    static string Shop(string spec = "", string items = "/srv/shop", string more = "") => $"{Head}name: Shop\nitems:\n"
        + string.Concat(items.Split(' ').Select(path => $"  - host: web-1\n    source: {{ kind: Files, files: {{ paths: [{path}] }} }}\n"))
        + $"{more}spec: {{ {spec} }}\n";

    static Task<PoliciesApplied> Apply(Fleet fleet, string text, bool dry = false, bool prune = false, params string[] lose)
        => fleet.Get<ApplyPolicies>().Handle(TestNode.Admin, new ApplyPoliciesRequest
        {
            Files = [new DocumentFile("shop.yaml", text)],
            DryRun = dry,
            Prune = prune,
            LosePoints = lose,
        }, default);

    static async Task<Policy> Only(Fleet fleet)
        => Assert.Single(await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), default));

    static string Told(AppliedPolicy policy) => $"{policy.Change}: " + string.Join("; ", policy.Members.Select(change
        => $"{change.Member} {change.From ?? "-"} → {change.To ?? "-"}"));

    [Fact]
    public async Task A_document_makes_a_policy_changes_it_and_applied_again_changes_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();

        var dry = await Apply(fleet, Shop("rpo: 12h, schedule: { every: 6h }"), dry: true);
        Assert.Empty(await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), default));
        Assert.Empty(await fleet.Runs());
        var made = await Apply(fleet, Shop("rpo: 12h, schedule: { every: 6h }"));
        var again = await Apply(fleet, Shop("rpo: 12h, schedule: { every: 6h }"));

        Assert.Equal((DocumentChange.Create, DocumentChange.Create, DocumentChange.None), (dry.Policies[0].Change, made.Policies[0].Change,
            again.Policies[0].Change));
        Assert.Contains(made.Policies[0].Members, change => change == new MemberChange("spec.rpo", null, "12h"));
        Assert.False(again.HasChanges);
        var policy = await Only(fleet);
        Assert.Equal((1, TimeSpan.FromHours(12), "/srv/shop on web-1"), (policy.Version, policy.Spec.Rpo, policy.Items.Single().Name));
        Assert.NotEmpty(await fleet.Runs());   // its first backup

        var edited = await Apply(fleet, Shop("rpo: 12h, schedule: { every: 3h }, retention: { keepDaily: 90 }", "/srv/shop /srv/mail"));

        Assert.Equal("Edit: spec.schedule.every 6h → 3h; spec.retention.keepDaily 30 → 90; items - → /srv/mail on web-1",
            Told(edited.Policies[0]));
        policy = await Only(fleet);
        Assert.Equal((2, 2, 90), (policy.Version, policy.Items.Count, policy.Spec.Retention.KeepDaily));
        var yaml = (await fleet.Get<ShowPolicyDocument>().Handle(TestNode.Admin, new ShowPolicyDocumentRequest(policy.Id), default)).Yaml;
        Assert.Contains("  - host: web-1\n    source:\n      kind: Files\n", yaml, StringComparison.Ordinal);
        Assert.False((await Apply(fleet, yaml)).HasChanges);   // what is shown is what is there
    }

    [Fact]
    public async Task Runbooks_stand_among_policies_and_all_of_it_is_applied_or_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        static string Book(string length) => "---\napiVersion: backupdr/v1\nkind: Runbook\nname: site\nspec:\n  steps:\n"
            + $"    - {{ name: settle, kind: Wait, timeout: 1h, for: {length} }}\n";

        var dry = await Apply(fleet, Shop() + Book("1m"), dry: true);
        var wrong = await Assert.ThrowsAsync<BadInputException>(() => Apply(fleet, Shop() + Book("2h")));
        Assert.Empty(await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), default));
        var made = await Apply(fleet, Shop() + Book("1m"));
        var again = await Apply(fleet, Shop() + Book("1m"));
        var changed = await Apply(fleet, Shop() + Book("2m"));

        Assert.Equal((DocumentChange.Create, true), (Assert.Single(dry.Runbooks!).Change, dry.HasChanges));
        Assert.Contains("shop.yaml:14:", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("steps.settle.for: It is 02:00:00.", wrong.Message, StringComparison.Ordinal);
        Assert.Equal((DocumentChange.Create, DocumentChange.Create), (made.Policies[0].Change, made.Runbooks![0].Change));
        Assert.False(again.HasChanges);
        var edited = Assert.Single(changed.Runbooks!);
        Assert.Equal((DocumentChange.None, DocumentChange.Edit, 2), (changed.Policies[0].Change, edited.Change, edited.Version));
        Assert.Equal(new MemberChange("steps.settle.for", "1m", "2m"), Assert.Single(edited.Members!));
    }

    [Fact]
    public async Task Items_that_a_document_does_not_name_stay_until_they_are_pruned_and_their_description_can_change()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        await Apply(fleet, Shop(items: "/srv/shop /srv/mail"));

        var kept = await Apply(fleet, Shop());
        Assert.Equal(("None: ", "/srv/mail on web-1 stays though its document does not name it; --prune retires it."),
            (Told(kept.Policies[0]), kept.Policies[0].Remarks.Single()));
        var pruned = await Apply(fleet, Shop(), prune: true);
        Assert.Equal("Edit: items /srv/mail on web-1 → -", Told(pruned.Policies[0]));
        Assert.Equal("/srv/shop on web-1", (await Only(fleet)).Items.Single().Name);

        var before = (await Only(fleet)).Items.Single().Id;
        var described = await Apply(fleet, Shop().Replace("paths: [/srv/shop]", "paths: [/srv/shop], excludes: [\"*.tmp\"]",
            StringComparison.Ordinal));

        Assert.Equal("Edit: items[/srv/shop on web-1].source.files.excludes [] → [\"*.tmp\"]", Told(described.Policies[0]));
        var item = (await Only(fleet)).Items.Single();
        Assert.Equal((before, "*.tmp"), (item.Id, item.Source.Files!.Excludes.Single()));
    }

    [Fact]
    public async Task Policies_that_came_from_documents_go_with_them_and_those_of_people_stay()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await Apply(fleet, Shop() + "---\n" + Shop(items: "/srv/mail").Replace("Shop", "Mail", StringComparison.Ordinal));
        await fleet.Protect(host, "/home");

        var dry = await Apply(fleet, Shop(), dry: true, prune: true);
        await Apply(fleet, Shop(), prune: true);

        Assert.Equal(["None Shop", "Remove Mail"], dry.Policies.Select(policy => $"{policy.Change} {policy.Name}"));
        Assert.Equal(["/home on web-1", "Shop"], (await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(),
            default))
            .Select(policy => policy.Name).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("name: Shop\nitems: [{ host: web-9, source: { files: { paths: [/srv] } } }]",
        "shop.yaml:4:17: 'items[0].host': There is no host 'web-9'. Is 'web-1' meant?")]
    [InlineData("name: Shop\nlocation: mars\nitems: []", "shop.yaml:4:11: 'location': There is no location 'mars'.")]
    [InlineData("name: Shop\nitems: []", "shop.yaml:1:1: 'Shop': A policy protects at least one source.")]
    [InlineData("name: Shop\nitems: [{ host: web-1, source: { files: { paths: [srv] } } }]",
        "'Shop': 'srv' is no absolute path of a folder.")]
    [InlineData("name: Shop\nitems: [{ host: web-1, source: { files: { paths: [/srv] } } }]\nspec: { rpo: 1h }",
        "'Shop': Running every 1.00:00:00 cannot keep")]
    [InlineData("name: Shop\nitems: [{ host: web-1, source: { files: { paths: [/srv] } } }]\nspec: { proof: { drillHosts: [web-2] } }",
        "shop.yaml:5:31: 'spec.proof.drillHosts[0]': There is no host 'web-2'.")]
    [InlineData("name: Shop\nassign: { rules: [{ kinds: [Files], hosts: 'a b' }] }", "'Shop': Rule 1: 'a b' is no selector of labels")]
    public async Task What_cannot_be_names_its_place_and_nothing_of_all_documents_is_kept(string text, string words)
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();

        var refused = await Assert.ThrowsAsync<BadInputException>(() => Apply(fleet, Head + text + "\n---\n"
            + Shop().Replace("Shop", "Fine", StringComparison.Ordinal)));

        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        Assert.Empty(await fleet.Get<ListPolicies>().Handle(TestNode.Admin, new ListPoliciesRequest(), default));
    }

    [Fact]
    public async Task A_change_that_loses_points_is_told_by_a_dry_run_and_refused_until_the_policy_is_named()
    {
        await using var one = await RetainedFleet.Start(databases);
        await one.Days(3);   // four points, three kept
        var yaml = (await one.Fleet.Get<ShowPolicyDocument>().Handle(TestNode.Admin, new ShowPolicyDocumentRequest(one.Policy.Id),
            default)).Yaml;
        var fewer = yaml.Replace("keepDaily: 3", "keepDaily: 1", StringComparison.Ordinal);

        var dry = await Apply(one.Fleet, fewer, dry: true);
        var refused = await Assert.ThrowsAsync<BadInputException>(() => Apply(one.Fleet, fewer));
        await Assert.ThrowsAsync<BadInputException>(() => Apply(one.Fleet, fewer, lose: "Document"));
        Assert.Equal(3, (await Only(one.Fleet)).Spec.Retention.KeepDaily);
        var done = await Apply(one.Fleet, fewer, lose: "Documents");

        Assert.Equal((2, "spec.retention.keepDaily"), (dry.Policies[0].Loss!.Points, dry.Policies[0].Members.Single().Member));
        Assert.Equal("If that is meant, apply with --lose-points 'Documents'.", refused.Hint);
        Assert.Equal((2, 1), (done.Policies[0].Loss!.Points, (await Only(one.Fleet)).Spec.Retention.KeepDaily));

        // The way back is a version, and the way there again asks again.
        var back = one.Fleet.Get<RestorePolicyVersion>();
        await back.Handle(TestNode.Admin, new RestorePolicyVersionRequest(one.Policy.Id, 1), default);
        await Assert.ThrowsAsync<BadInputException>(() => back.Handle(TestNode.Admin, new RestorePolicyVersionRequest(one.Policy.Id, 2),
            default));
        await back.Handle(TestNode.Admin, new RestorePolicyVersionRequest(one.Policy.Id, 2, "Documents"), default);
        Assert.Equal((4, 1), ((await Only(one.Fleet)).Version, (await Only(one.Fleet)).Spec.Retention.KeepDaily));
    }

    [Fact]
    public async Task Each_change_is_a_version_with_who_and_what_and_a_change_from_an_older_one_is_refused()
    {
        await using var fleet = await Fleet.Start(databases);
        var policy = await fleet.Protect(await fleet.AddHost(), "/srv/shop");
        Task<Policy> Edit(PolicySpec spec, int? version) => fleet.Get<EditPolicy>().Handle(TestNode.Admin,
            new EditPolicyRequest(policy.Id, policy.Name, spec, null, version), default);

        await Edit(policy.Spec with { Rto = TimeSpan.FromHours(2) }, 1);
        await Edit(policy.Spec with { Rto = TimeSpan.FromHours(2) }, 2);   // nothing changed, no version
        var refused = await Assert.ThrowsAsync<ConflictException>(() => Edit(policy.Spec with { Rpo = TimeSpan.FromHours(48) }, 1));
        await Edit(policy.Spec with { Rpo = TimeSpan.FromHours(48), Rto = TimeSpan.FromHours(2) }, 2);

        Assert.Equal("policy.changed", refused.Code);
        Assert.Contains("is at version 2, and this change was made from version 1. Meanwhile key:test changed: spec.rto 4h → 2h.",
            refused.Message,
            StringComparison.Ordinal);
        var versions = await fleet.Get<ListPolicyVersions>().Handle(TestNode.Admin, new ListPolicyVersionsRequest(policy.Id), default);
        Assert.Equal([3, 2, 1], versions.Select(version => version.Version));
        Assert.Equal([new MemberChange("spec.rpo", "24h", "2d")], versions[0].Changes);
        Assert.All(versions, version => Assert.Equal(("key:test", PolicyOrigin.Api), (version.By, version.Origin)));
        var compared = await fleet.Get<ComparePolicyVersions>().Handle(TestNode.Admin, new ComparePolicyVersionsRequest(policy.Id, 3, 1),
            default);
        Assert.Equal(["spec.rpo 2d → 24h", "spec.rto 2h → 4h"], compared.Changes.Select(change
            => $"{change.Member} {change.From} → {change.To}"));
    }

    [Fact]
    public async Task Of_many_edits_from_one_version_one_wins()
    {
        await using var fleet = await Fleet.Start(databases);
        var policy = await fleet.Protect(await fleet.AddHost(), "/srv/shop");

        var edits = await Task.WhenAll(Enumerable.Range(1, 8).Select(async hours =>
        {
            try
            {
                await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, policy.Name,
                    policy.Spec with { Rto = TimeSpan.FromHours(hours + 10) }, null, 1), default);
                return true;
            }
            catch (ConflictException) { return false; }   // the losers of the race
        }));

        Assert.Single(edits, won => won);
        Assert.Equal(2, (await Only(fleet)).Version);
    }

    [Fact]
    public async Task Over_the_API_a_policy_is_shown_and_put_back_unchanged_and_described()
    {
        await using var fleet = await Fleet.Start(databases);
        var policy = await fleet.Protect(await fleet.AddHost(), "/srv/shop");
        var http = fleet.Node.AdminClient();

        var shown = (await http.GetFromJsonAsync($"/api/v1/policies/{policy.Id}", WireJson.Default.Policy))!;
        var put = await http.PutAsync($"/api/v1/policies/{policy.Id}", TestNode.Json(new EditPolicyRequest(shown.Id, shown.Name,
            shown.Spec, null,
            shown.Version, shown.Assign), WireJson.Default.EditPolicyRequest));
        var document = (await http.GetFromJsonAsync($"/api/v1/policies/{policy.Id}/document", WireJson.Default.PolicyYaml))!;
        var applied = await http.PostAsync("/api/v1/policies/apply", TestNode.Json(new ApplyPoliciesRequest
        {
            Files = [new DocumentFile("a.yaml", document.Yaml)],
        }, WireJson.Default.ApplyPoliciesRequest));
        var stale = await http.PutAsync($"/api/v1/policies/{policy.Id}",
            TestNode.Json(new EditPolicyRequest(shown.Id, shown.Name, shown.Spec, null,
            7), WireJson.Default.EditPolicyRequest));

        Assert.Equal((HttpStatusCode.OK, 1), (put.StatusCode, (await put.Content.ReadFromJsonAsync(WireJson.Default.Policy))!.Version));
        Assert.False((await applied.Content.ReadFromJsonAsync(WireJson.Default.PoliciesApplied))!.HasChanges);
        Assert.Equal((409, "policy.changed"), ((int)stale.StatusCode, (await stale.Problem()).Code));
        // What is left out of JSON has its default too.
        using var bare = new StringContent("""{"assign":{"rules":[{"kinds":["PostgreSql"]}]}}""", System.Text.Encoding.UTF8,
            "application/json");
        Assert.Equal(HttpStatusCode.OK, (await http.PostAsync("/api/v1/policies/assignment", bare)).StatusCode);
        var description = await fleet.Node.Client().GetStringAsync("/api/v1/openapi.json");
        Assert.Contains("/api/v1/policies/apply", description, StringComparison.Ordinal);
        Assert.Contains("ApplyPoliciesRequest", description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_of_a_server_with_its_log_may_be_edited_with_an_objective_below_its_base_backups()
    {
        await using var fleet = await Fleet.Start(databases);
        var policy = await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Items = [new NewItem(await fleet.AddHost(), new SourceSpec { Kind = SourceKind.MariaDb, MariaDb =
                new MariaDbSpec { Log = new LogSpec() } })],
            Spec = PolicyTemplate.Standard.Over(new PolicySpec(), hasLog: true),
        }, default);

        var edited = await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, "Shop", policy.Spec), default);

        Assert.Equal((TimeSpan.FromMinutes(5), "Shop"), (edited.Spec.Rpo, edited.Name));
    }
}
