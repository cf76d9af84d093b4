using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps.Dns;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>Messages as nsupdate, dig and named of BIND 9.18 wrote them, byte for byte; and bytes that nobody should write.</summary>
public sealed class DnsWireTests
{
    static readonly TsigKey Key = new(DnsName.Parse("DDNS"), "01234567890123456789012345678901"u8.ToArray());

    static byte[] Hex(string text) => Convert.FromHexString(text);

    /// <summary>nsupdate -v: prereq yxrrset app.example.test A 127.0.0.1; delete A; add 60 A 192.0.2.10.</summary>
    static readonly byte[] Update = Hex(
        "03db28000001000100020001076578616d706c650474657374000006000103617070c00c000100010000000000047f000001c01e000100"
        + "ff000000000000c01e000100010000003c0004c000020a0464646e730000fa00ff00000000003d0b686d61632d7368613235360000006b"
        + "032630012c00207246ca8e457ab0f0e44b4a735a0569d570e8f8682e917720654d83007e12821a03db00000000");

    static readonly byte[] UpdateAnswer = Hex(
        "03dba8000001000000000001076578616d706c65047465737400000600010464646e730000fa00ff00000000003d0b686d61632d736861"
        + "3235360000006b032630012c00201ff78de9ad51aa9d246ab5dcb55b38938a9ded2b56f7d863dace66b237ff071303db00000000");

    /// <summary>dig app.example.test A.</summary>
    static readonly byte[] Query = Hex(
        "96220120000100000000000103617070076578616d706c65047465737400000100010464646e730000fa00ff00000000003d0b686d6163"
        + "2d7368613235360000006b032631012c002066f66502db3c643503c041a3e04891d6fa320b1b20b74c45151761332271dcb49622000000"
        + "00");

    static readonly byte[] QueryAnswer = Hex(
        "96228500000100010000000103617070076578616d706c6504746573740000010001c00c000100010000003c0004c000020a0464646e73"
        + "0000fa00ff00000000003d0b686d61632d7368613235360000006b032631012c0020e2e286763070400926a29da90a47483567e4473643"
        + "689c4d73d7cc5e956ee07a962200000000");

    /// <summary>To a query with another key of the same name.</summary>
    static readonly byte[] BadSig = Hex(
        "19b08109000100000000000103617070076578616d706c65047465737400000100010464646e730000fa00ff00000000001d0b686d6163"
        + "2d7368613235360000006b032631012c000019b000100000");

    static readonly DateTimeOffset Then = DateTimeOffset.FromUnixTimeSeconds(0x6b032630);

    static byte[] MacOf(byte[] message) => DnsReader.ReadTsig(DnsReader.Read(message).Additionals[^1].Data).Mac;

    [Fact]
    public void What_we_sign_is_what_dig_signs()
    {
        var question = new DnsQuestion(DnsName.Parse("app.example.test."), DnsType.A, DnsClass.In);
        var (bytes, mac) = Tsig.Sign(new DnsMessage { Id = 0x9622, Flags = 0x0120, Questions = [question] },
            Key with { Name = DnsName.Parse("ddns") }, Then.AddSeconds(1));

        Assert.Equal(Convert.ToHexStringLower(Query), Convert.ToHexStringLower(bytes));
        Assert.Equal(MacOf(Query), mac);
    }

    [Fact]
    public void What_nsupdate_says_is_what_we_would_say()
    {
        var read = DnsReader.Read(Update);
        var name = DnsName.Parse("app.example.test");
        var ours = new DnsMessage
        {
            Id = 0x03db,
            Flags = DnsMessage.Update,
            Questions = [new(DnsName.Parse("example.test"), DnsType.Soa, DnsClass.In)],
            Answers = [new(name, DnsType.A, DnsClass.In, 0, [127, 0, 0, 1])],
            Authorities = [new(name, DnsType.A, DnsClass.Any, 0, []), new(name, DnsType.A, DnsClass.In, 60, [192, 0, 2, 10])],
        };

        // The same but for the compression of names, which nobody has to use.
        var unsigned = read with { Additionals = [], SignedUntil = null };
        Assert.Equal(Convert.ToHexStringLower(DnsWriter.Write(ours)), Convert.ToHexStringLower(DnsWriter.Write(unsigned)));
        Assert.Equal((DnsCode.NoError, null), Tsig.Verify(Update, read, Key, [], Then));
    }

    [Fact]
    public void Answers_of_named_are_believed_as_they_are_and_in_no_other_form()
    {
        var asked = DnsReader.Read(Update);
        var answer = DnsReader.Read(UpdateAnswer);
        Assert.True(answer.Replies(asked));
        Assert.False(DnsReader.Read(QueryAnswer).Replies(asked));
        Assert.Equal((DnsCode.NoError, null), Tsig.Verify(UpdateAnswer, answer, Key, MacOf(Update), Then));
        var told = DnsReader.Read(QueryAnswer);
        Assert.Equal((DnsCode.NoError, null), Tsig.Verify(QueryAnswer, told, Key, MacOf(Query), Then));
        Assert.Equal(("app.example.test", 60u, "c000020a"), (told.Answers[0].Name.ToString(), told.Answers[0].Ttl,
            Convert.ToHexStringLower(told.Answers[0].Data)));

        var (error, problem) = Tsig.Verify(BadSig, DnsReader.Read(BadSig), Key, MacOf(Query), Then);
        Assert.Equal((DnsCode.BadSig, "The server holds another key under the name 'DDNS' (BADSIG)."), (error, problem));
        Assert.NotNull(Tsig.Verify(UpdateAnswer, answer, Key, MacOf(Query), Then).Problem);   // the answer to something else
        Assert.NotNull(Tsig.Verify(UpdateAnswer, answer, Key, MacOf(Update), Then.AddHours(1)).Problem);
        Assert.Equal("The answer is not signed.", Tsig.Verify([], answer with { SignedUntil = null }, Key, MacOf(Update), Then).Problem);
        for (var at = 0; at < QueryAnswer.Length; at++)
        {
            var changed = QueryAnswer.ToArray();
            changed[at] ^= 0x01;
            DnsMessage read;
            try { read = DnsReader.Read(changed); }
            catch (FormatException) { continue; }   // not even a message
            var isOurs = read.Replies(DnsReader.Read(Query)) && Tsig.Verify(changed, read, Key, MacOf(Query), Then).Problem is null;
            Assert.False(isOurs, $"a bit of byte {at} was changed and nobody saw it");
        }
    }

    public static TheoryData<string, string> Broken() => new()
    {
        { "", "is shorter than a header" },
        { "000080000001000000000000", "says that it holds more" },
        { "00008000ffffffffffffffff", "says that it holds more" },
        { "000080000001000000000000c00c00010001", "points forwards" },
        { "000080000001000000000000400000010001", "a label of a kind that nobody uses" },
        { "0000800000010000000000003f6100010001", "ends in the middle of a name" },
        { "0000800000010000000000000000010001ff", "something behind its end" },
        { "00008000000000010000000000000100010000000000ff", "ends in the middle of a record" },
        { "000080000000000100000000000005000100000000000300ffff", "does not fill its record" },
        { "0000800000000001000100000000fa00ff0000000000000000fa00ff00000000" + "0000", "behind its signature" },
        { "0000800000000001000000000000fa00ff000000000000", "signed in its middle" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_is_no_message_is_refused_with_its_reason(string hex, string reason)
        => Assert.Contains(reason, Assert.Throws<FormatException>(() => DnsReader.Read(Hex(hex))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_name_longer_than_names_may_be_is_refused_also_when_it_is_put_together()
    {
        // Each name adds a label to the one before it, by pointing to it.
        var bytes = new List<byte>(Hex("000080000000000000000000"));
        var last = 0;
        for (var number = 0; number < 200; number++)
        {
            var at = bytes.Count;
            bytes.AddRange(number == 0 ? Hex("016100") : [1, (byte)'a', (byte)(0xc0 | last >> 8), (byte)(last & 0xff)]);
            bytes.AddRange(Hex("00010001"));
            last = at;
        }
        bytes[5] = 200;
        Assert.Contains("too long", Assert.Throws<FormatException>(() => DnsReader.Read([.. bytes])).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => DnsName.Parse(string.Join('.', Enumerable.Repeat("a", 128))));
        Assert.Throws<FormatException>(() => DnsName.Parse(new string('a', 64)));
        Assert.Throws<FormatException>(() => DnsName.Parse("a..b"));
        Assert.Equal("aA.b", DnsName.Parse("aA.b.").ToString());
        Assert.Equal(DnsName.Parse("aA.b").GetHashCode(), DnsName.Parse("Aa.B").GetHashCode());
    }

    [Fact]
    public void Bytes_changed_by_chance_are_read_or_refused_and_nothing_else()
    {
        var random = new Random(8945);
        byte[][] seeds = [Update, UpdateAnswer, Query, QueryAnswer, BadSig];
        var read = 0;
        for (var turn = 0; turn < Nightly.Or(20_000, 5_000_000); turn++)
        {
            var bytes = seeds[random.Next(seeds.Length)].ToArray();
            for (var change = random.Next(1, 6); change > 0; change--)
                bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)(0xc0 | random.Next(2)) : (byte)random.Next(256);
            if (random.Next(3) == 0) bytes = bytes[..random.Next(bytes.Length)];
            try
            {
                var message = DnsReader.Read(bytes);
                read++;
                // What was read can be written, and says the same again.
                var again = DnsReader.Read(DnsWriter.Write(message));
                Assert.Equal(message.Answers.Count, again.Answers.Count);
                Assert.NotEqual((DnsCode.NoError, null), (Tsig.Verify(bytes, message, Key, [1, 2, 3], Then)));
                foreach (var record in message.Answers) record.Name.ToString();
            }
            catch (FormatException) { continue; }   // refused, as it should be
        }
        Assert.True(read > 1000, $"only {read} could be read");
    }

    [Fact]
    public void Values_are_kept_exactly_and_shown_as_people_write_them()
    {
        var text = RecordValues.Of(DnsRecordKind.Txt, [new string('x', 300), "a\"b\\"], TimeSpan.FromSeconds(9));
        Assert.Equal(text.Exact(), RecordValues.FromExact(text.Exact())!.Exact());
        Assert.Equal($"\"a\\\"b\\\\\" \"{new string('x', 255)}\" \"{new string('x', 45)}\"", text.Text(DnsRecordKind.Txt));
        Assert.Equal("no record", new RecordValues([], 0).Text(DnsRecordKind.A));
        Assert.True(RecordValues.Of(DnsRecordKind.Cname, ["A.Example.org."], default)
            .Says(RecordValues.Of(DnsRecordKind.Cname, ["a.example.ORG"], default), DnsRecordKind.Cname));
        Assert.False(RecordValues.Of(DnsRecordKind.A, ["192.0.2.1"], default)
            .Says(RecordValues.Of(DnsRecordKind.A, ["192.0.2.1", "192.0.2.2"], default), DnsRecordKind.A));
        foreach (var broken in (string[])["", "x", "5 zz", "-1"]) Assert.Null(RecordValues.FromExact(broken));
        foreach (var data in (byte[][])[[], [255], [5, 1], [3, 97, 98]])
            foreach (var kind in Enum.GetValues<DnsRecordKind>()) Assert.NotNull(new RecordValues([data], 0).Text(kind));
    }
}
