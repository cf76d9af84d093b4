using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Policies;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>Templates, YAML, versions, labels and rules as a person meets them.</summary>
[Collection(Browser.OneVisitor)]
public sealed class PolicyDocumentPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_policy_begins_with_a_template_is_seen_as_YAML_and_goes_back_to_what_it_was()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Get<RecordInventory>().Handle(Caller.Agent(agent.Host), new InventoryRequest
        {
            Sources =
            [
                new SourceFound(FoundKind.PostgreSql, FilePath.FromText("/var/lib/postgresql/15/main"), "PostgreSQL 15, port 5432"),
                new SourceFound(FoundKind.FileSystem, FilePath.FromText("/srv"), "xfs"),
            ],
        }, default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/policies");
        await visit.Shot("policies-empty");
        await visit.Follow("Gold What the business", exact: false);
        await visit.Ready();
        await visit.Reads("an hour lost at most, proven weekly");
        await visit.Press("Bronze");
        await visit.Reads("three months back");
        await visit.Press("Standard");
        await visit.Reads("a year back");
        await visit.Page.Locator("#rto").SelectOptionAsync("3600");
        await visit.Reads("Standard, changed");
        await visit.Page.Locator("#typed").FillAsync("/srv/shop");
        await visit.Fill("Name", "Shop");
        await visit.Press("Create policy");
        await visit.Sees("What it protects");
        var policy = Assert.Single(await node.Get<ListPolicies>().Handle(ConsoleNode.System, new ListPoliciesRequest(), default));
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromHours(24)), (policy.Spec.Rto, policy.Spec.Rpo));

        // Two people, one form: the second is told what the first did, and may save again.
        await visit.Go($"/policies/{policy.Id}/edit");
        await node.Get<EditPolicy>().Handle(ConsoleNode.System, new EditPolicyRequest(policy.Id, "Shop", policy.Spec with
        {
            Rto = TimeSpan.FromHours(2),
        }), default);
        await visit.Page.GetByText("View as YAML").ClickAsync();
        await visit.Reads("apiVersion: backupdr/v1");
        await visit.Press("Gold");
        await visit.Reads("an hour lost at most, proven weekly");
        await visit.Shot("policy-edit-yaml");
        await visit.Press("Save changes");
        await visit.Reads("Meanwhile system:test changed: spec.rto 1h → 2h");
        visit.Forgive($"/policies/{policy.Id}/edit");   // the refusal is an error to the browser
        await visit.Shot("policy-edit-overtaken");
        await visit.Press("Save changes");
        await visit.Sees("Versions");
        await visit.Shot("policy-versions-card");

        await visit.Follow("All versions");
        await visit.Sees("All versions");
        await visit.Page.GetByText("Compare and bring back").Last.ClickAsync();
        await visit.Sees("Bring back version 1?");
        await visit.Shot("policy-versions");
        await visit.Press("Bring back version 1");
        await visit.Sees("What it protects");
        await visit.Reads("version 1 brought back");
        await visit.Follow("View as YAML");
        await visit.Reads("rto: 1h");
        await visit.Shot("policy-yaml");
        visit.IsClean();
    }

    [Fact]
    public async Task A_rule_shows_what_it_matches_before_it_is_saved_and_takes_it()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host("db-with-a-long-name-01.berlin.example.org");
        await node.Get<RecordInventory>().Handle(Caller.Agent(agent.Host), new InventoryRequest
        {
            Sources = [new SourceFound(FoundKind.FileSystem, FilePath.FromText("/srv/a/long/path/of/a/file/system"), "xfs")],
        }, default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/agents/{agent.Host}");
        await visit.Page.GetByText("Change labels").ClickAsync();
        await visit.Fill("One a line, key=value", "site=berlin\ntier=prod");
        await visit.Press("Save labels");
        await visit.Reads("site=berlin, tier=prod");
        await visit.Shot("host-labels");

        // Without the script a template is a press that answers with the page.
        await using (var plain = await browser.Visit(node.Url, script: false))
        {
            await plain.SignIn();
            await plain.Go("/policies/new");
            await plain.Press("Gold");
            await plain.Reads("an hour lost at most, proven weekly");
            Assert.Equal("3600", await plain.Page.Locator("#rpo").InputValueAsync());
        }

        await visit.Go("/policies/new?source=rule");
        await visit.Page.GetByLabel("File systems", new() { Exact = true }).CheckAsync();
        await visit.Fill("on hosts with the labels", "site=berlin, tier=");
        await visit.Page.GetByLabel("Name", new() { Exact = true }).FillAsync("File systems of Berlin");
        await visit.Press("Create policy");
        await visit.Reads("a value is missing at character 19");
        visit.Forgive("/policies/new");   // the refusal is an error to the browser
        await visit.Fill("on hosts with the labels", "site=berlin, tier=prod");
        await visit.Page.GetByLabel("Name", new() { Exact = true }).FocusAsync();
        await visit.Reads("Matches 1 thing now: 1 to become items");
        await visit.Shot("policy-by-rule");
        await visit.Press("Create policy");
        await visit.Sees("What it takes by rule");
        await node.Get<AssignLook>().Run(default);
        await visit.Reads("Item of this policy");
        await visit.Shot("policy-rules");
        await node.Get<SetHostLabels>().Handle(ConsoleNode.System, new SetHostLabelsRequest(agent.Host, new Dictionary<string, string>()),
            default);
        await visit.Page.ReloadAsync();
        await visit.Reads("is matched by no rule any longer");
        await visit.Shot("policy-rule-left");
        visit.IsClean();
    }

    [Fact]
    public void A_form_knows_its_template_and_what_was_changed_in_it()
    {
        var draft = PolicyDraft.Of(new PolicySpec());
        Assert.Equal("Standard", draft.TemplateWords);
        draft.Action = "template:Gold";
        draft.Apply();
        Assert.Equal(("Gold", "3600", "168"), (draft.TemplateWords, draft.Rpo, draft.KeepHourly));
        draft.KeepDaily = "61";
        Assert.Equal("Gold, changed", draft.TemplateWords);
        draft.KeepDaily = "many";
        Assert.Equal("Gold, changed", draft.TemplateWords);
        foreach (var template in PolicyTemplate.All)
            foreach (var source in (string?[])[null, "postgresql", "mariadb"])
                Assert.Equal(template.Name, PolicyDraft.OfKind(source, template.Name).TemplateWords);
    }
}
