using System.Diagnostics;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Sources.Files;

namespace BackupDr.Sources.Tests;

/// <summary>Patterns and paths by chance: an answer or the named error, soon.</summary>
public sealed class ExcludeFuzzTests
{
    const int Seed = 20260801;
    static readonly string[] Pieces =
    [
        "a", "b", "ü", "*", "**", "?", "/", "//", "[", "]", "[a-b]", "[!a]", "[^ü-z]", @"\", @"\*", "!", ".",
        "..", " ", "-", "aaaaaaaa", "*a*a*a", "**/a/**/a", "\0", "\uD800", "😀",
    ];
    static readonly byte[][] Names =
    [
        .. ((string[])["a", "b", "ü", "A", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a*b", "[", "-", "😀"]).Select(Encoding.UTF8.GetBytes),
        [0xFF], [0xC3], [(byte)'a', 0xFE, (byte)'b'],
    ];

    [Fact]
    public void Ten_thousand_patterns_give_an_answer_or_the_named_error()
    {
        var random = new Random(Seed);
        var (refused, matched) = (0, 0);
        for (var round = 0; round < 10_000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(0, 12)).Select(_ => Pieces[random.Next(Pieces.Length)]));
            var path = Enumerable.Range(0, random.Next(1, 30)).Select(_ => new FilePath(Names[random.Next(Names.Length)])).ToList();
            var folder = path.SkipLast(1).Aggregate(new FilePath("/"u8.ToArray()), (at, name) => at.Join(name.Bytes));
            var begun = Stopwatch.GetTimestamp();
            try
            {
                var rules = ExcludeRules.Parse([new PatternLine(text, "rules:7", round % 2 == 0)]);
                if (rules.Match(folder, path[^1], round % 3 == 0)) matched++;
            }
            catch (BadInputException e)
            {
                refused++;
                Assert.True(e.Message.StartsWith($"rules:7: '{text}' ", StringComparison.Ordinal),
                    $"seed {Seed}, round {round}: {e.Message}");
            }
            var took = Stopwatch.GetElapsedTime(begun);
            Assert.True(took < TimeSpan.FromSeconds(1), $"seed {Seed}, round {round}: '{text}' on {folder} took {took}.");
        }
        Assert.InRange(refused, 100, 9_000);
        Assert.InRange(matched, 100, 9_000);
    }

    [Fact]
    public void Many_double_stars_do_not_multiply()
    {
        var rules = ExcludeRules.Parse(["/" + string.Concat(Enumerable.Repeat("**/a/", 40)) + "b/x"]);
        var folder = new FilePath(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("/a", 100))));
        var begun = Stopwatch.GetTimestamp();

        Assert.False(rules.Match(folder, FilePath.FromText("x"), isFolder: false));
        Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(1));
    }
}
