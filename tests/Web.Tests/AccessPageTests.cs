using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Hosts;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests;

/// <summary>People, keys and four eyes in the browser, with plain forms.</summary>
[Collection(Browser.OneVisitor)]
public sealed partial class AccessPageTests(PostgresServer server, Browser browser)
{
    static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_fleet_joins_with_one_token_and_is_approved_and_a_second_person_is_invited_and_approves_what_the_first_asked_for()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var ann = await browser.Visit(node.Url);
        await ann.SignIn(first: true);
        string[] names = ["web-1", "db-1", "mail-with-quite-a-long-name.datacentre-2.example.org"];
        var token = await FleetToken(ann, names.Length);
        await using var web = await ScriptedAgent.Join(node, token, names[0]);
        await using var data = await ScriptedAgent.Join(node, token, names[1]);
        await using var mail = await ScriptedAgent.Join(node, token, names[2]);
        await Assert.ThrowsAnyAsync<BackupDrException>(() => ScriptedAgent.Join(node, token, "one-too-many"));
        await Approve(ann, names);
        await ann.Go("/agents");
        foreach (var name in (string[])["web-1", "db-1", "mail-with-quite-a-long-name"]) await ann.Reads(name);
        await ann.Shot("agents-three");
        var policy = await node.Protect(web.Host, "/srv/web", $"Web {ScriptedAgent.Hostile}");
        await ann.Go("/settings/users");
        await ann.Reads("One person alone can do everything here");
        await ann.Shot("users-one");
        await ann.Follow("Add a user");
        await ann.Fill("Name", "bob");
        await ann.Page.Locator("#role-0").SelectOptionAsync("Approver");
        await ann.Shot("users-new");
        await ann.Press("Add user");
        await ann.Sees("Hand this over");
        var link = await ann.Page.Locator("#hand-over").InnerTextAsync();
        await ann.Shot("users-link");

        await using var bob = await browser.Visit(node.Url, script: false);
        await bob.Go(new Uri(link).PathAndQuery);
        await bob.Sees("Choose a password");
        await bob.Shot("welcome");
        await bob.Fill("New password", ConsoleNode.Password);
        await bob.Fill("New password again", ConsoleNode.Password);
        await bob.Press("Choose password");
        await bob.Sees("Sign in");
        await bob.Fill("Name", "bob");
        await bob.Fill("Password", ConsoleNode.Password);
        await bob.Press("Sign in");
        await bob.Sees("Home");

        await ann.Go("/approvals");
        await ann.Reads("admin, bob may approve");
        await ann.Page.GetByLabel("A second person is needed").CheckAsync();
        await ann.Press("Save");
        await ann.Reads("Four eyes are on");
        await ann.Shot("approvals-empty");
        await ann.Go($"/policies/{policy.Id}");
        await ann.Press("Remove policy");
        await ann.Press($"Remove {policy.Name}");
        await ann.Reads("needs a second person");
        await ann.Shot("approval-needed");

        await bob.Go("/approvals");
        await bob.Shot("approvals");
        await bob.Follow($"Removes the policy {policy.Name}: nothing backs up its item any more.");
        await bob.Sees("Request");
        await bob.Shot("approval");
        await bob.Press("Approve: do it now");
        await bob.Reads("Done");
        await bob.Go("/settings/users");
        await bob.Reads("does not have the right UserManage");
        await bob.Go("/account");
        await bob.Reads("Approver");
        await bob.Shot("account");
        await ann.Go("/settings/users");
        await ann.Follow("bob");
        await ann.Sees("What bob may do");
        await ann.Shot("user");
        await ann.Go("/audit?action=access.refused");
        await ann.Reads("UserManage");
        await ann.Press("Check every entry");
        await ann.Reads("entries are as they were written");
        await ann.Shot("audit");
        bob.Forgive("403");
        ann.Forgive("409");
        ann.Forgive("404");   // her page of the policy looks again when it is gone
        ann.IsClean();
        bob.IsClean();
    }

    /// <summary>A token for several hosts, each of which waits until somebody approves it.</summary>
    static async Task<string> FleetToken(Visit visit, int hosts)
    {
        await visit.Go("/agents");
        await visit.Follow("Add host");
        await visit.Fill("How many hosts may join with it", $"{hosts}");
        await visit.Fill("For how many hours", "24");
        await visit.Page.GetByLabel("Each host waits until somebody approves it").CheckAsync();
        await visit.Press("Make the command");
        var command = await visit.Page.Locator("#command").InnerTextAsync();
        await visit.Reads($"works for {hosts} hosts");
        await visit.Shot("fleet-command");
        return Token().Match(command).Value;
    }

    /// <summary>From the page of the token, which shows them by itself, to each host that waits.</summary>
    static async Task Approve(Visit visit, IReadOnlyList<string> names)
    {
        await visit.Reads($"{names.Count} of {names.Count} hosts joined.");
        await visit.Reads("hosts joined. Those that wait get no work until you decide.");
        await visit.Sees("All hosts joined");
        await visit.Shot("fleet-joined");
        await visit.Go("/agents");
        await visit.Reads($"{names.Count} hosts wait for approval.");
        await visit.Shot("fleet-waiting");
        foreach (var name in names)
        {
            await visit.Go("/agents");
            await visit.Follow($"Decide about {name}");
            await visit.Reads("This host waits for approval.");
            if (name == names[^1]) await visit.Shot("fleet-decide");
            await visit.Press("Approve");
            await visit.Reads("Protect a folder");
        }
        await visit.Go("/agents");
        Assert.Equal(0, await visit.Page.GetByText("for approval").CountAsync());
    }

    [GeneratedRegex("bdr1_[^ '\"]+")]
    private static partial Regex Token();

    /// <summary>Who sees only a part of the fleet sees only that, and what nobody of its roles may do is disabled with the role that
    /// would do.</summary>
    [Fact]
    public async Task Whoever_has_a_role_for_a_label_sees_those_hosts_and_is_told_what_the_rest_needs()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var web = await node.Host("web-1");
        await using var data = await node.Host("db-1");
        await node.Get<SetHostLabels>().Handle(ConsoleNode.System,
            new SetHostLabelsRequest(web.Host, new Dictionary<string, string> { ["env"] = "prod" }), None);
        var seen = await node.Protect(web.Host, "/srv/web", "Web");
        var unseen = await node.Protect(data.Host, "/srv/data", "Data");
        await node.Get<CreateUser>().Handle(ConsoleNode.System, new CreateUserRequest("admin2", ConsoleNode.OneTimePassword)
        {
            Roles = [new RoleGrant("Operator", "label=env=prod")],
        }, None);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true, name: "admin2");

        await visit.Go("/items");
        await visit.Reads("web-1");
        Assert.Equal(0, await visit.Page.GetByText("db-1").CountAsync());
        await visit.Shot("items-scoped");
        await visit.Go($"/policies/{seen.Id}");
        await Disabled(visit, "Edit", "needs the role Policy admin");
        await Disabled(visit, "Remove policy", "needs the role Policy admin");
        await visit.Shot("policy-operator");
        await visit.Press("Back up now");
        await visit.Arrives(url => url.Contains("/runs/", StringComparison.Ordinal) || url.Contains("/jobs", StringComparison.Ordinal));
        await visit.Go("/agents");
        await visit.Reads("web-1");
        Assert.Equal(0, await visit.Page.GetByText("db-1").CountAsync());
        await Disabled(visit, "Add host", "needs the role Agent admin");
        await visit.Go("/storage");
        await Disabled(visit, "Add a location", "needs the role Storage admin");
        await visit.Shot("storage-operator");
        await visit.Go($"/policies/{unseen.Id}");
        await visit.Reads("is not in it");
        visit.Forgive("403");
        visit.IsClean();
    }

    static async Task Disabled(Visit visit, string word, string why)
    {
        var button = visit.Page.GetByRole(AriaRole.Button, new() { Name = $"{word}, {why}" }).First;
        Assert.True(await button.IsDisabledAsync(), word);
    }

    [Fact]
    public async Task A_key_is_shown_once_and_revoked()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true);
        await visit.Go("/settings/keys");
        await visit.Reads("No API keys");
        await visit.Shot("keys-empty");
        await visit.Follow("Make a key");
        await visit.Fill("Name", "ci");
        await visit.Page.Locator("#role-0").SelectOptionAsync("Operator");
        await visit.Page.Locator("#scope-0").FillAsync("shoe=size");
        await visit.Press("Make key");
        await visit.Reads("A scope cannot say 'shoe'.");
        await visit.Page.Locator("#scope-0").FillAsync("host=web-*");
        await visit.Press("Make key");
        await visit.Sees("Keep this key");
        var key = await visit.Page.Locator("#api-key").InnerTextAsync();
        await visit.Shot("keys-made");
        await visit.Follow("It is kept");
        await visit.Reads("Operator for host=web-*");
        await visit.Shot("keys");

        Assert.DoesNotContain(key, await visit.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.StartsWith("bdrk_", key, StringComparison.Ordinal);
        await visit.Press("Revoke");
        await visit.Press("Revoke ci");
        await visit.Reads("Revoked");
        visit.Forgive("400");
        visit.IsClean();
    }
}
