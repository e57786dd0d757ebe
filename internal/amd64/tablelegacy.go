package amd64

// The tables of the legacy encodings in 64-bit mode: Intel's Software Developer's
// Manual, volume 2, appendix A and the pages of the instructions. parseTable
// tells the notation. An opcode that is not here is not known, and refused.

const oneByteTable = `
00 Eb+ Gb f
01 Ev+ Gv f
02 Gb+ Eb f
03 Gv+ Ev f
04 rax.b+ Ib f
05 rax.v+ Iz f
08 Eb+ Gb f
09 Ev+ Gv f
0A Gb+ Eb f
0B Gv+ Ev f
0C rax.b+ Ib f
0D rax.v+ Iz f
10 Eb+ Gb f f:c
11 Ev+ Gv f f:c
12 Gb+ Eb f f:c
13 Gv+ Ev f f:c
14 rax.b+ Ib f f:c
15 rax.v+ Iz f f:c
18 Eb+ Gb f f:c
19 Ev+ Gv f f:c
1A Gb+ Eb f f:c
1B Gv+ Ev f f:c
1C rax.b+ Ib f f:c
1D rax.v+ Iz f f:c
20 Eb+ Gb f
21 Ev+ Gv f
22 Gb+ Eb f
23 Gv+ Ev f
24 rax.b+ Ib f
25 rax.v+ Iz f
28 Eb+ Gb f
29 Ev+ Gv f zero
2A Gb+ Eb f
2B Gv+ Ev f zero
2C rax.b+ Ib f
2D rax.v+ Iz f
30 Eb+ Gb f
31 Ev+ Gv f zero
32 Gb+ Eb f
33 Gv+ Ev f zero
34 rax.b+ Ib f
35 rax.v+ Iz f
38 Eb Gb f
39 Ev Gv f
3A Gb Eb f
3B Gv Ev f
3C rax.b Ib f
3D rax.v Iz f
50-57 Zy rsp.y+
58-5F Zy= rsp.y+
50-57.66 Zv rsp.y+
58-5F.66 Zv= rsp.y+
63 Gv= Ev
68 Iz rsp.y+
69 Gv= Ev Iz f
6A Ib rsp.y+
6B Gv= Ev Ib f
6C-6F ? mem
70-7F Jb jcc cc
80/0 Eb+ Ib f
80/1 Eb+ Ib f
80/2 Eb+ Ib f f:c
80/3 Eb+ Ib f f:c
80/4 Eb+ Ib f
80/5 Eb+ Ib f
80/6 Eb+ Ib f
80/7 Eb Ib f
81/0 Ev+ Iz f
81/1 Ev+ Iz f
81/2 Ev+ Iz f f:c
81/3 Ev+ Iz f f:c
81/4 Ev+ Iz f
81/5 Ev+ Iz f
81/6 Ev+ Iz f
81/7 Ev Iz f
83/0 Ev+ Ib f
83/1 Ev+ Ib f
83/2 Ev+ Ib f f:c
83/3 Ev+ Ib f f:c
83/4 Ev+ Ib f
83/5 Ev+ Ib f
83/6 Ev+ Ib f
83/7 Ev Ib f
84 Eb Gb f
85 Ev Gv f
86 Eb+ Gb+
87 Ev+ Gv+
88 Eb= Gb
89 Ev= Gv
8A Gb= Eb
8B Gv= Ev
8C Ev= ?
8D/m Gv= M
8E Ev ?
8F/0 Ev= rsp.y+
90 nop
91-97 Zv+ rax.v+
98 rax.v+
99 rax.v rdx.v=
9B nop
9C rsp.y+ f:oszapc
9D rsp.y+ f
9E rax.v f=szapc
9F rax.b+ f:szapc
A0 rax.b= O
A1 rax.v= O
A2 rax.b O
A3 rax.v O
A4-A5 rsi.y+ rdi.y+ mem rep
A6-A7 rsi.y+ rdi.y+ mem rep f~oszapc
A8 rax.b Ib f
A9 rax.v Iz f
AA-AB rdi.y+ rax.y mem rep
AC-AD rsi.y+ rax.y+ mem rep
AE-AF rdi.y+ rax.y mem rep f~oszapc
B0-B7 Zb= Ib
B8-BF Zv= Iv
C0/0 Eb+ Ib f=oc shift
C0/1 Eb+ Ib f=oc shift
C0/2 Eb+ Ib f=oc f:c shift
C0/3 Eb+ Ib f=oc f:c shift
C0/4 Eb+ Ib f shift
C0/5 Eb+ Ib f shift
C0/6 Eb+ Ib f shift
C0/7 Eb+ Ib f shift
C1/0 Ev+ Ib f=oc shift
C1/1 Ev+ Ib f=oc shift
C1/2 Ev+ Ib f=oc f:c shift
C1/3 Ev+ Ib f=oc f:c shift
C1/4 Ev+ Ib f shift
C1/5 Ev+ Ib f shift
C1/6 Ev+ Ib f shift
C1/7 Ev+ Ib f shift
C2 Iw ret rsp.y+
C3 ret rsp.y+
C6/0 Eb= Ib
C7/0 Ev= Iz
C6/7r Ib system ?
C7/7r Jz system ?
C8 IwIb rsp.y+ rbp.y+
C9 rsp.y= rbp.y+
CC trap
CD Ib system ?
CF system ?
D0/0 Eb+ f=oc
D0/1 Eb+ f=oc
D0/2 Eb+ f=oc f:c
D0/3 Eb+ f=oc f:c
D0/4 Eb+ f
D0/5 Eb+ f
D0/6 Eb+ f
D0/7 Eb+ f
D1/0 Ev+ f=oc
D1/1 Ev+ f=oc
D1/2 Ev+ f=oc f:c
D1/3 Ev+ f=oc f:c
D1/4 Ev+ f
D1/5 Ev+ f
D1/6 Ev+ f
D1/7 Ev+ f
D2 Eb+ rcx.b f~oszapc
D2/2 Eb+ rcx.b f~oc f:c
D2/3 Eb+ rcx.b f~oc f:c
D3 Ev+ rcx.b f~oszapc
D3/2 Ev+ rcx.b f~oc f:c
D3/3 Ev+ rcx.b f~oc f:c
D7 rax.b+ rbx.y mem
D8 W
D9 W
DA W
DA/0r W f:c
DA/1r W f:z
DA/2r W f:zc
DA/3r W f:p
DB W
DB/0r W f:c
DB/1r W f:z
DB/2r W f:zc
DB/3r W f:p
DB/5r W f=zpc f~osa
DB/6r W f=zpc f~osa
DC W
DD W
DE W
DF W
DF/4r W rax.w+
DF/5r W f=zpc f~osa
DF/6r W f=zpc f~osa
E0-E1 Jb jcc rcx.y+ f:z
E2 Jb jcc rcx.y+
E3 Jb jcc rcx.y
E4-E7 Ib ?
E8 Jz call
E9 Jz jmp
EB Jb jmp
EC-EF ?
F1 trap
F4 trap
F5 f=c f:c
F6/0 Eb Ib f
F6/1 Eb Ib f
F6/2 Eb+
F6/3 Eb+ f
F6/4 Eb rax.w+ f
F6/5 Eb rax.w+ f
F6/6 Eb rax.w+ f fault
F6/7 Eb rax.w+ f fault
F7/0 Ev Iz f
F7/1 Ev Iz f
F7/2 Ev+
F7/3 Ev+ f
F7/4 Ev rax.v+ rdx.v= f
F7/5 Ev rax.v+ rdx.v= f
F7/6 Ev rax.v+ rdx.v+ f fault
F7/7 Ev rax.v+ rdx.v+ f fault
F8 f=c
F9 f=c
FA-FB system ?
FC nop
FD nop
FE/0 Eb+ f=oszap
FE/1 Eb+ f=oszap
FF/0 Ev+ f=oszap
FF/1 Ev+ f=oszap
FF/2 Ey callind rsp.y+
FF/4 Ey jmpind
FF/6 Ey rsp.y+
FF/2.66 Ev system ?
FF/4.66 Ev system ?
FF/6.66 Ev system ?
`

const table0F = `
00 W ?
01 W ?
01/7m W ?
02-03 W ?
05 system ?
06 system ?
07 system ?
08-09 system ?
0B trap
0D hint
10-17 W
18-1F hint
1A-1B W ?
1E/1r.F3 W ?
28-29 W
2A W
2A.F3 Ev
2A.F2 Ev
2B W
2C-2D W
2C-2D.F3 Gy= W
2C-2D.F2 Gy= W
2E-2F W f
30 system ?
31 rax.y= rdx.y=
32 system ?
33 system ?
34-35 system ?
40-4F Gv+ Ev cc
50 Gy= W
51-6F W
6E Ey
6E.F3 W ?
6E.F2 W ?
70-73 W Ib
74-76 W
77 nop
7C-7D W
7E Ey=
7E.F3 W
7F W
80-8F Jz jcc cc
90-9F Eb= cc
A0 rsp.y+
A1 system ?
A2 rax.y+ rcx.y+ rbx.y= rdx.y=
A3 Ev Gv f=osapc
A4 Ev+ Gv Ib f shift
A5 Ev+ Gv rcx.b f~oszapc
A8 rsp.y+
A9 system ?
AB Ev+ Gv f=osapc
AC Ev+ Gv Ib f shift
AD Ev+ Gv rcx.b f~oszapc
AE W ?
AE/2m.NP W
AE/3m.NP W
AE/7m.NP W
AE/7m.66 W
AE/5r.NP W
AE/6r.NP W
AE/7r.NP W
AF Gv+ Ev f
B0 Eb+ Gb rax.b+ f
B1 Ev+ Gv rax.v+ f
B2 W ?
B3 Ev+ Gv f=osapc
B4-B5 W ?
B6 Gv= Eb
B7 Gv= Ew
B8.F3 Gv= Ev f
B9 W trap
BA/4 Ev Ib f=osapc
BA/5 Ev+ Ib f=osapc
BA/6 Ev+ Ib f=osapc
BA/7 Ev+ Ib f=osapc
BB Ev+ Gv f=osapc
BC Gv+ Ev f
BD Gv+ Ev f
BE Gv= Eb
BF Gv= Ew
C0 Eb+ Gb+ f
C1 Ev+ Gv+ f
C2 W Ib
C3/m W Gy
C4 Ey Ib
C5 Gy= W Ib
C6 W Ib
C7 W ?
C7/1m rax.y+ rdx.y+ rbx.y rcx.y W f~z
C7/6r Ev= f
C7/7r Ev= f
C7/7r.F3 Ey=
C7/6r.F3 W ?
C8-CF Zv+
D0-FE W
D7 Gy= W
F7 rdi.y W mem
FF W trap
`

const table0F38 = `
00-0B W
10 W
14-15 W
17 W f
1C-1E W
20-25 W
28-2B W
30-35 W
37-41 W
80-82 W system ?
C8-CD W
CF W
DB-DF W
F0/m.NP Gv= Ev
F0/m.66 Gv= Ev
F0.F2 Gy+ Eb
F1/m.NP Ev= Gv
F1/m.66 Ev= Gv
F1.F2 Gy+ Ev
F6.66 Gy+ Ey f=c f:c
F6.F3 Gy+ Ey f=o f:o
F5.66 W ?
F6.NP W ?
F8 W ? mem
F9 W Gy ?
`

const table0F3A = `
08-0F W Ib
14-17 Ey= Ib
20 Ey Ib
21 W Ib
22 Ey Ib
40-42 W Ib
44 W Ib
60 W Ib rax.y rdx.y f
61 W Ib rax.y rdx.y rcx.y= f
62 W Ib f
63 W Ib rcx.y= f
CC W Ib
CE-CF W Ib
DF W Ib
`
