using BackupDr.Contracts.Rules.Assignment;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class AssignPlanTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    static Dictionary<string, string> Labels(string text) => text.Length == 0 ? []
        : text.Split(',').Select(HostLabels.Parse).ToDictionary(label => label.Key, label => label.Value);

    static Assignable Thing(string labels, SourceKind kind = SourceKind.PostgreSql, string path = "/var/lib/postgresql/15/main",
        string host = "db-1") => new(host, Labels(labels), kind, FilePath.FromText(path));

    static AssigningPolicy Policy(string name, params AssignRule[] rules) => new(PolicyId.New(TimeProvider.System), name,
        new AssignSpec { Rules = rules }, Noon);

    static AssignRule Rule(string hosts, string exceptHosts = "", string[]? paths = null, string[]? exceptPaths = null,
        params SourceKind[] kinds) => new()
        {
            Kinds = kinds.Length == 0 ? [SourceKind.PostgreSql] : kinds,
            Hosts = hosts,
            ExceptHosts = exceptHosts,
            Paths = paths ?? [],
            ExceptPaths = exceptPaths ?? [],
        };

    [Theory]
    [InlineData("", "", true)]
    [InlineData("site=berlin", "site=berlin", true)]
    [InlineData("site == berlin", "site=berlin", true)]
    [InlineData("site=berlin", "site=Berlin", false)]              // values are what they are
    [InlineData("site=berlin", "", false)]
    [InlineData("site=berlin,tier=prod", "site=berlin", false)]    // all must hold
    [InlineData("site!=berlin", "site=bonn", true)]
    [InlineData("site!=berlin", "", true)]                         // a label that is not there is unlike every value
    [InlineData("site!=berlin", "site=berlin", false)]
    [InlineData("role in (web, db)", "role=db", true)]
    [InlineData("role in (web, db)", "role=mail", false)]
    [InlineData("role notin (web,db)", "role=mail", true)]
    [InlineData("role notin (web,db)", "", true)]
    [InlineData("backup", "backup=yes", true)]
    [InlineData("backup", "", false)]
    [InlineData("!scratch", "", true)]
    [InlineData("!scratch", "scratch=1", false)]
    [InlineData("host=db-1", "", true)]
    [InlineData("host=db-2", "", false)]
    [InlineData("in=1", "", false)]
    public void A_selector_chooses_hosts_by_their_labels(string selector, string labels, bool holds)
        => Assert.Equal(holds, AssignPlan.Best(Thing(labels), Policy("one", Rule(selector))) is not null);

    [Theory]
    [InlineData("site=", "a value is missing at character 6")]
    [InlineData("=berlin", "a key is missing at character 1")]
    [InlineData("site=berlin tier=prod", "a comma is missing at character 13")]
    [InlineData("site berlin", "'berlin' stands in the place of")]
    [InlineData("site in berlin", "an opening bracket is missing at character 9")]
    [InlineData("site in (berlin", "a closing bracket is missing at character 16")]
    [InlineData("site!berlin", "an equals sign is missing at character 6")]
    [InlineData("site=ber lin;", "a comma is missing")]
    [InlineData("a,,b", "a key is missing at character 3")]
    public void A_selector_that_cannot_be_read_says_where(string selector, string words)
        => Assert.Contains(words, Assert.Throws<BadInputException>(() => LabelSelector.Parse(selector, "hosts")).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("/srv/**", "/srv/a/b", true)]
    [InlineData("/srv/**", "/srv", false)]
    [InlineData("/srv/*", "/srv/a", true)]
    [InlineData("/srv/*", "/srv/a/b", false)]
    [InlineData("/srv/a?c", "/srv/abc", true)]
    [InlineData("/srv/a?c", "/srv/a/c", false)]
    [InlineData("/var/lib/postgresql/*/main", "/var/lib/postgresql/15/main", true)]
    [InlineData("/var/lib/postgresql/*/main", "/var/lib/postgresql/15/test", false)]
    [InlineData("/**/main", "/var/lib/main", true)]
    [InlineData("/srv", "/srv", true)]
    [InlineData("/srv", "/srv2", false)]
    public void A_pattern_stays_within_names_unless_it_says_otherwise(string pattern, string path, bool matches)
        => Assert.Equal(matches, PathPattern.Matches(pattern, path));

    [Fact]
    public void A_pattern_that_others_take_for_ever_with_takes_no_time()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();

        Assert.False(PathPattern.Matches(string.Concat(Enumerable.Repeat("*a", 200)) + "b", "/" + new string('a', 4000)));

        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }

    [Fact]
    public void Kinds_exceptions_and_paths_narrow_a_rule()
    {
        var rule = Rule("site=berlin", "tier=test", ["/var/lib/postgresql/**"], ["/var/lib/postgresql/*/scratch"]);
        AssignMatch? Of(Assignable thing) => AssignPlan.Best(thing, Policy("one", rule));

        Assert.Equal(2, Of(Thing("site=berlin"))!.Conditions);
        Assert.Null(Of(Thing("site=berlin", SourceKind.MariaDb)));
        Assert.Null(Of(Thing("site=berlin,tier=test")));
        Assert.Null(Of(Thing("site=berlin", path: "/data/pg")));
        Assert.Null(Of(Thing("site=berlin", path: "/var/lib/postgresql/15/scratch")));
    }

    [Fact]
    public void Of_several_policies_priority_then_conditions_then_age_decides_and_says_so()
    {
        var wide = Policy("Wide", Rule(""));
        var narrow = Policy("Narrow", Rule("site=berlin")) with { CreatedAt = Noon.AddDays(1) };
        var young = Policy("Young", Rule("tier=prod")) with { CreatedAt = Noon.AddDays(2) };
        var first = Policy("First", Rule("")) with { CreatedAt = Noon.AddDays(3) };
        first = first with { Assign = first.Assign with { Priority = 5 } };
        var thing = Thing("site=berlin,tier=prod");

        var order = AssignPlan.Of(thing, [wide, young, narrow, first]);

        Assert.Equal(["First", "Narrow", "Young", "Wide"], order.Select(match => match.Policy.Name));
        Assert.Equal("its priority is 5, that of Narrow 0", AssignPlan.Why(order[0], order[1]));
        Assert.StartsWith("it is older than Young", AssignPlan.Why(order[1], order[2]), StringComparison.Ordinal);
        Assert.Equal("its rule has one condition, that of Wide 0 conditions", AssignPlan.Why(order[2], order[3]));
        Assert.Equal(["Narrow", "Wide"], AssignPlan.Of(Thing("site=berlin"), [wide, young, narrow]).Select(match => match.Policy.Name));
    }

    [Fact]
    public void Of_several_rules_of_a_policy_the_one_with_most_conditions_counts()
        => Assert.Equal(1, AssignPlan.Best(Thing("site=berlin,tier=prod"), Policy("one", Rule("site=berlin"),
            Rule("site=berlin,tier=prod"), Rule("")))!.Rule);

    [Fact]
    public void What_rules_cannot_be_is_told_rule_by_rule()
    {
        var problems = AssignPlan.Problems(new AssignSpec
        {
            Priority = 5000,
            Rules = [Rule("site=berlin") with { Kinds = [] }, Rule("site=", paths: ["srv"]), Rule(new string('a', 2000))],
        }).ToList();

        Assert.Equal(["priority", "kinds", "hosts", "paths", "hosts"], problems.Select(problem => problem.Field));
        Assert.StartsWith("Rule 2: 'site=' is no selector", problems[2].Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("site=berlin", "site", "berlin")]
    [InlineData(" rack = r1/4.2 ", "rack", "r1/4.2")]
    public void A_label_is_a_key_and_a_value(string text, string key, string value)
        => Assert.Equal(KeyValuePair.Create(key, value), HostLabels.Parse(text));

    [Theory]
    [InlineData("site")]
    [InlineData("site=")]
    [InlineData("=berlin")]
    [InlineData("host=web-1")]
    [InlineData("si te=berlin")]
    [InlineData("site=ber,lin")]
    [InlineData("in=x")]
    [InlineData("größe=xl")]
    public void What_is_no_label_is_refused(string text) => Assert.Throws<BadInputException>(() => HostLabels.Parse(text));
}
