using System.Collections;
using System.Reflection;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies.Documents;

namespace BackupDr.Scheduler.Tests.Policies;

/// <summary>Documents without a node: every member of every spec goes through YAML and back, and what is no document says where.</summary>
public sealed class PolicyYamlTests
{
    static readonly JsonSerializerOptions Wire = WireJson.Default.Options;

    static string Json(PolicyDocument document) => JsonSerializer.Serialize(document, WireJson.Default.PolicyDocument);

    [Fact]
    public void A_null_among_the_files_is_refused_in_words()
    {
        foreach (var odd in (DocumentFile?[])[null, new DocumentFile("a.yaml", null!), new DocumentFile(null!, "")])
            Assert.Contains("One of the files is null", Assert.Throws<BadInputException>(() => PolicyDocuments.Read(
                [new DocumentFile("a.yaml", ""), odd!], WireNames.None)).Message, StringComparison.Ordinal);
    }

    static PolicyDocument Read(string text) => Assert.Single(PolicyDocuments.Read([new DocumentFile("a.yaml", text)],
        WireNames.None)).Document;

    static string Refused(string text)
        => Assert.Throws<BadInputException>(() => PolicyDocuments.Read([new DocumentFile("a.yaml", text)], WireNames.None)).Message;

    // ---- A document whose members all have values that are not the defaults, made from the types: a member that somebody adds is in it.

    static readonly string[] Texts =
    [
        "plain", "two words", "no", "true", "12", "0x1f", "1e3", "", " edge ", "a: b", "a #b", "- a", "*.tmp", "&x", "!x", "'q'", "\"q\"",
            "{a}", "[a]",
        "null", "~", "50%", "@x", "`x`", "a\\b", "line\nline", "tab\there", "größe", "日本", "😀", "24h", "2026-11-22", "12:30",
            "key: [x, {y: z}]", "#c", "?x",
        "|x", ">x", "%x", "a,b", "shop: select max(placed_at) > now() - interval '2 days' from orders", "\u2028", "a:", "=", "<<", "-",
            ".5", "+1",
    ];

    sealed class Filler(int seed)
    {
        readonly Random _random = new(seed);

        public object? Make(Type type, int depth = 0)
        {
            var plain = Nullable.GetUnderlyingType(type) ?? type;
            if (plain == typeof(string)) return Texts[_random.Next(Texts.Length)];
            if (plain == typeof(bool)) return _random.Next(2) == 0;
            if (plain == typeof(int)) return _random.Next(-5, 10_000);
            if (plain == typeof(long)) return _random.NextInt64(long.MaxValue);
            if (plain == typeof(double)) return Math.Round(_random.NextDouble() * 100, 3);
            if (plain == typeof(TimeSpan)) return Spans[_random.Next(Spans.Length)];
            if (plain == typeof(TimeOnly)) return new TimeOnly(_random.Next(24), _random.Next(60));
            if (plain == typeof(DateOnly)) return new DateOnly(2026, 1, 1).AddDays(_random.Next(365));
            if (plain == typeof(DateTimeOffset)) return DateTimeOffset.UnixEpoch.AddMinutes(_random.Next());
            if (plain == typeof(FilePath)) return FilePath.FromText("/" + Texts[_random.Next(Texts.Length)].Replace('/', '_'));
            if (plain.IsEnum) return Enum.GetValues(plain).GetValue(_random.Next(Enum.GetValues(plain).Length));
            if (typeof(ITypedId).IsAssignableFrom(plain))
                return plain.GetMethod("From", BindingFlags.Public | BindingFlags.Static, [typeof(Guid)])?.Invoke(null, [Guid.NewGuid()])
                    ?? Activator.CreateInstance(plain, Guid.NewGuid());
            if (plain.IsGenericType && typeof(IEnumerable).IsAssignableFrom(plain)) return List(plain.GetGenericArguments()[0], depth);
            return Record(plain, depth);
        }

        static readonly TimeSpan[] Spans = [TimeSpan.Zero, TimeSpan.FromSeconds(90), TimeSpan.FromHours(24), TimeSpan.FromDays(30),
            TimeSpan.FromHours(36), TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(1500), new TimeSpan(1, 2, 3, 4),
                new TimeSpan(12_345_678)];

        Array List(Type element, int depth)
        {
            var made = Array.CreateInstance(element, depth > 6 ? 0 : _random.Next(1, 4));
            for (var at = 0; at < made.Length; at++) made.SetValue(Make(element, depth + 1), at);
            return made;
        }

        object Record(Type type, int depth)
        {
            var constructor = type.GetConstructors().OrderBy(one => one.GetParameters().Length).First();
            var made = constructor.Invoke([.. constructor.GetParameters().Select(parameter => Make(parameter.ParameterType, depth + 1))]);
            foreach (var member in type.GetProperties().Where(member => member.CanWrite
                && member.GetCustomAttribute<System.Text.Json.Serialization.JsonIgnoreAttribute>() is not
                {
                    Condition:
                    System.Text.Json.Serialization.JsonIgnoreCondition.Always
                }))
                member.SetValue(made, Make(member.PropertyType, depth + 1));
            return made;
        }
    }

    static PolicyDocument Whole(int seed) => (PolicyDocument)new Filler(seed).Make(typeof(PolicyDocument))! with
    {
        ApiVersion = PolicyDocument.TheVersion,
        Kind = PolicyDocument.TheKind,
        Name = $"Policy {seed}",
    };

    [Fact]
    public void Every_member_of_every_spec_goes_through_YAML_and_back()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var document = Whole(seed);
            var yaml = PolicyDocuments.Write(document, WireNames.None);

            var read = Read(yaml);

            Assert.True(Json(document) == Json(read), $"Seed {seed}:\n{yaml}\n{Json(document)}\n{Json(read)}");
            Assert.Equal(yaml, PolicyDocuments.Write(read, WireNames.None));
        }
    }

    [Fact]
    public void Every_member_stands_in_the_document_by_its_name_on_the_wire()
    {
        var yaml = PolicyDocuments.Write(Whole(1), WireNames.None);

        foreach (var type in (Type[])[typeof(PolicySpec), typeof(ScheduleSpec), typeof(RetentionSpec), typeof(AnomalySpec),
            typeof(ProofSpec),
            typeof(HooksSpec), typeof(AssignSpec), typeof(AssignRule)])
            foreach (var member in Wire.GetTypeInfo(type).Properties.Where(member => member.Get is not null))
                Assert.Contains($"{member.Name}:", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public void A_short_document_reads_as_a_person_would_write_it()
    {
        var document = Read("""
            # The shop's databases.
            apiVersion: backupdr/v1
            kind: Policy
            name: Shop
            spec:
              rpo: 1h
              rto: 1d12h
              schedule: { every: 60m, timeZone: Europe/Berlin }
              retention:
                keepDaily: 7
                keepWithin: 30d
              hooks:
                before: stop-shop
                beforeFailure: warn
              proof:
                assertions:
                  - "shop: select count(*) > 0 from orders"
            """);

        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromHours(36)), (document.Spec.Rpo, document.Spec.Rto));
        Assert.Equal((TimeSpan.FromHours(1), "Europe/Berlin"), (document.Spec.Schedule.Every, document.Spec.Schedule.TimeZone));
        Assert.Equal((7, 12, "30d"), (document.Spec.Retention.KeepDaily, document.Spec.Retention.KeepMonthly,
            document.Spec.Retention.KeepWithin));
        Assert.Equal(HookFailure.Warn, document.Spec.Hooks!.BeforeFailure);
        Assert.Equal("shop: select count(*) > 0 from orders", document.Spec.Proof.Assertions.Single());
        Assert.Equal(Json(document), Json(Read(Json(document))));   // JSON is YAML
    }

    [Fact]
    public void Defaults_are_written_out_and_lengths_have_units()
    {
        var yaml = PolicyDocuments.Write(new PolicyDocument
        {
            ApiVersion = PolicyDocument.TheVersion,
            Kind = PolicyDocument.TheKind,
            Name =
            "no"
        },
            WireNames.None);

        Assert.StartsWith("apiVersion: backupdr/v1\nkind: Policy\nname: \"no\"\nitems: []\nspec:\n  rpo: 24h\n  rto: 4h\n  schedule:\n   "
            + " every: 24h\n",
            yaml, StringComparison.Ordinal);
        Assert.Contains("    trash: 7d\n", yaml, StringComparison.Ordinal);
        Assert.Contains("    maximumAge: 35d\n", yaml, StringComparison.Ordinal);
    }

    const string Head = "apiVersion: backupdr/v1\nkind: Policy\nname: a\n";

    [Theory]
    [InlineData(Head + "spec:\n  retension: {}", "a.yaml:5:3: 'retension' is no member of 'spec'. Is 'retention' meant?")]
    [InlineData(Head + "sepc: {}", "a.yaml:4:1: 'sepc' is no member of a document. Is 'spec' meant?")]
    [InlineData(Head + "zzz: 1", "a.yaml:4:1: 'zzz' is no member of a document. It has apiVersion, kind, name")]
    [InlineData(Head + "spec:\n  rpo: 24", "a.yaml:5:8: 'spec.rpo' is '24', which is no length of time. Write a number and a unit")]
    [InlineData(Head + "spec:\n  rpo: 24:00:00", "'24:00:00', which is no length of time")]
    [InlineData(Head + "spec:\n  rpo: -1h", "'-1h', which is no length of time")]
    [InlineData(Head + "spec:\n  rpo: 999999999d", "which is no length of time")]
    [InlineData(Head + "spec:\n  rpo: [1h]", "a.yaml:5:8: 'spec.rpo' is a list, where one value is expected.")]
    [InlineData(Head + "spec:\n  retention:\n    keepDaily: seven", "a.yaml:6:16: 'spec.retention.keepDaily' is 'seven', which is no "
        + "whole number.")]
    [InlineData(Head + "spec:\n  retention:\n    keepDaily: '7'", "which is no whole number. Write digits without quotes.")]
    [InlineData(Head + "spec:\n  retention:\n    keepDaily: 99999999999999999999", "which is no whole number")]
    [InlineData(Head + "spec:\n  retention:\n    keepDaily: 3000000000", "which is no whole number")]
    [InlineData(Head + "spec:\n  retention:\n    keepDaily:", "'spec.retention.keepDaily' has no value. Give one, or leave the line out.")]
    [InlineData(Head + "spec:\n  retention: daily", "'spec.retention' is 'daily', where members are expected. Of keepLast")]
    [InlineData(Head + "spec:\n  proof:\n    drillAfterFirst: yes", "'spec.proof.drillAfterFirst' is 'yes'. Write true or false.")]
    [InlineData(Head + "spec:\n  proof:\n    assertions: select true", "where a list is expected. Write assertions: [one, two]")]
    [InlineData(Head + "spec:\n  hooks:\n    beforeFailure: Ignore", "'spec.hooks.beforeFailure' is 'Ignore'. It may be FailRun or Warn.")]
    [InlineData(Head + "spec:\n  rpo: 1h\n  rpo: 2h", "a.yaml:6:3: 'rpo' is there twice. Keep one of them.")]
    [InlineData(Head + "items:\n  - source: {}", "a.yaml:5:5: 'items[0].host' is missing.")]
    [InlineData(Head + "items:\n  -", "'items[0]' has no value. Leave the line out.")]
    [InlineData(Head + "items:\n  - host: host_01\n    source: { kind: Sqlite, sqlite: {} }", "'items[0].source.sqlite.path' is missing.")]
    [InlineData(Head + "spec:\n\trpo: 1h", "a.yaml:5:1: The line begins with a tab. Indent with spaces.")]
    [InlineData(Head + "spec: {rpo: 1h", "This is no YAML")]
    [InlineData(Head + "spec: &a {rpo: 1h}", "a.yaml:4:7: The anchor '&a' is not taken.")]
    [InlineData(Head + "items: *a", "Aliases are not taken.")]
    [InlineData(Head + "spec:\n  proof:\n    assertions: [*.tmp]", "A text that begins with a star needs quotes")]
    [InlineData(Head + "spec: !!python/object {}", "The tag 'tag:yaml.org,2002:python/object' is not taken.")]
    [InlineData(Head + "? [a]\n: 1", "A name has to be a text.")]
    [InlineData("kind: Policy\nname: a", "a.yaml:1:1: 'apiVersion' is missing. Write apiVersion: backupdr/v1")]
    [InlineData("apiVersion: backupdr/v2\nkind: Policy\nname: a", "'apiVersion' is 'backupdr/v2'. Write apiVersion: backupdr/v1")]
    [InlineData("apiVersion: backupdr/v1\nkind: Deployment\nmetadata: {}", "'kind' is 'Deployment'. Write kind: Policy")]
    [InlineData("apiVersion: backupdr/v1\nkind: Policy", "'name' is missing.")]
    [InlineData("- a", "a.yaml:1:1: The document is a list, where members are expected.")]
    [InlineData("just words", "The document is 'just words', where members are expected.")]
    [InlineData("", "There is no document in what was given.")]
    [InlineData("---\n---\n# nothing\n", "There is no document in what was given.")]
    [InlineData(Head + "---\n" + Head, "a.yaml:5:1: The policy 'a' has a document in a.yaml:1 already.")]
    [InlineData(Head + "spec: {}\n\0\nrest", "a.yaml:5:1: The character U+0000 stands here.")]
    public void What_is_no_document_says_where_and_what_to_do(string text, string words)
        => Assert.Contains(words, Refused(text), StringComparison.Ordinal);

    [Fact]
    public void What_blows_up_is_refused_before_it_does()
    {
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + string.Join('\n', Enumerable.Range('b', 8).Select(at
            => $"{(char)at}: &{(char)at} [{string.Join(',', Enumerable.Repeat($"*{(char)(at - 1)}", 9))}]"));
        var clock = System.Diagnostics.Stopwatch.StartNew();

        Assert.Contains("The anchor '&a' is not taken.", Refused(bomb), StringComparison.Ordinal);
        Assert.Contains("nested more than 32 deep", Refused(Head + "spec: " + new string('[', 100_000)), StringComparison.Ordinal);
        Assert.Contains("nested more than 32 deep", Refused(string.Concat(Enumerable.Range(0, 200).Select(at => new string(' ', at)
            + "a:\n"))),
            StringComparison.Ordinal);
        Assert.Contains("has more than 100000 values", Refused("[" + new string(',', 0) + string.Concat(Enumerable.Repeat("1,", 200_000))
            + "]"),
            StringComparison.Ordinal);
        Assert.Contains("The file has 10485760 characters. At most 1048576", Refused(new string('a', 10 << 20)), StringComparison.Ordinal);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 30);
    }

    [Fact]
    public void Many_problems_are_told_at_once_and_no_more_than_a_screen_holds()
    {
        var lines = Refused(Head + "spec:\n" + string.Concat(Enumerable.Range(0, 50).Select(at => $"  x{at}: 1\n"))).Split('\n');

        Assert.Equal(21, lines.Length);
        Assert.Equal("and 30 more", lines[^1]);
    }

    [Theory]
    [InlineData("90s", 90)]
    [InlineData("15m", 900)]
    [InlineData("24h", 86_400)]
    [InlineData("1.5h", 5_400)]
    [InlineData("1d12h", 129_600)]
    [InlineData("0s", 0)]
    [InlineData("1.12:00:00", 129_600)]
    public void Lengths_are_read_with_units(string text, int seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), Lengths.Read(text));

    [Theory]
    [InlineData("24")]
    [InlineData("h")]
    [InlineData("1 h")]
    [InlineData("1H")]
    [InlineData("1w")]
    [InlineData("")]
    [InlineData("1h ")]
    public void A_length_without_a_unit_that_is_known_is_none(string text) => Assert.Null(Lengths.Read(text));
}
